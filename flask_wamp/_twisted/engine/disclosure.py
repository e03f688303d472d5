"""The option ``disclose_me`` (WAMP spec, 10.2.4 and 10.3.2), which Autobahn leaves out.

Autobahn 26.10.2, ``autobahn/wamp/message.py``: ``Call`` and ``Publish`` neither take nor marshal it.
This can go once they do; ``tests/twisted/test_session.py`` reads it off the wire.
"""

from typing import Any

from autobahn.wamp import message


class _Discloses:
    disclose_me: bool | None = None

    def marshal(self) -> list[Any]:
        """Return the message as a list."""
        marshalled: list[Any] = super().marshal()  # type: ignore[misc]
        marshalled[2]["disclose_me"] = self.disclose_me
        return marshalled


class _DisclosingCall(_Discloses, message.Call):
    pass


class _DisclosingPublish(_Discloses, message.Publish):
    pass


_DISCLOSING = {message.Call: _DisclosingCall, message.Publish: _DisclosingPublish}


def disclosing(kind: Any, disclose_me: bool | None, *args: Any, **fields: Any) -> Any:
    """Return a call or publish, a message of *kind*, that may ask for disclosure."""
    if disclose_me is None:
        return kind(*args, **fields)
    msg = _DISCLOSING[kind](*args, **fields)
    msg.disclose_me = disclose_me
    return msg
