"""Who may call and publish in memory, as the router of a node has it."""

from contextvars import Context

from ..context import Access
from ..declare.allow import SERVICES, Ask
from ..declare.rights import DeclaredRights
from ..errors import NOT_AUTHORIZED, RemoteError
from ..signals import SessionInfo
from ..state import State


class Guard:
    """Refuses what the application's declarations do not allow; services may do everything."""

    def __init__(self, state: State) -> None:
        self._app = state.app
        self._rights = DeclaredRights(state.registry, state.config.uri_prefix)

    def check_call(self, caller: SessionInfo, uri: str) -> None:
        """Let a call pass.

        :raises RemoteError: the caller may not.
        :raises Exception: what a function raises that is asked; the router of a node logs it.
        """
        if not self._allows(caller, Access("call", uri)):
            # In the words of Crossbar.io.
            raise _refusal(
                f'session (session_id={caller.session}, authid="{caller.authid}", '
                f'authrole="{caller.authrole}") is not authorized to call procedure "{uri}" on '
                f'realm "{caller.realm}"'
            )

    def check_publish(self, publisher: SessionInfo, topic: str, *, retain: bool) -> None:
        """Let a publish pass; see :meth:`check_call`.

        :raises RemoteError: the publisher may not.
        """
        if not self._allows(publisher, Access("publish", topic, retain=retain)):
            raise _refusal(f"session not authorized to publish to topic '{topic}'")

    def _allows(self, who: SessionInfo, wanted: Access) -> bool:
        role = str(who.authrole)
        if role in SERVICES:
            return True
        said = self._rights().decide(role, wanted.action, wanted.uri, retain=wanted.retain)
        if isinstance(said, bool):
            return said
        access = Access(
            wanted.action, wanted.uri, "exact", wanted.retain, who.session, who.authid, who.authrole
        )
        return Context().run(self._ask, said, access)

    def _ask(self, function: Ask, access: Access) -> bool:
        with self._app.app_context():
            return self._app.ensure_sync(function)(access) is True


def _refusal(text: str) -> RemoteError:
    return RemoteError.from_uri(NOT_AUTHORIZED, [text])
