"""Procedures as attributes: ``g.wampy.rpc.add(1, 2)``."""

from typing import Any

from .meta import Caller


class Rpc:
    """Builds the URI of a procedure from attributes, and calls it."""

    __slots__ = ("_client", "_prefix", "_words")

    def __init__(self, client: Caller, prefix: str, words: tuple[str, ...] = ()) -> None:
        self._client = client
        self._prefix = prefix
        self._words = words

    def __getattr__(self, name: str) -> "Rpc":
        if name.startswith("__"):
            raise AttributeError(name)
        return Rpc(self._client, self._prefix, (*self._words, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure; see :meth:`~flask_wamp.call.client.Client.call`."""
        prefix = self._prefix if len(self._words) == 1 else ""
        return self._client.call(prefix + ".".join(self._words), *args, **kwargs)

    def __repr__(self) -> str:
        return f"<rpc {'.'.join(self._words)}>"
