"""The Flask session in a call: as the handshake's cookie had it, and no cookie can be set.

A view that changes it is told so at the line that writes. What stands around the view may write, a
guard that keeps the page to come back to, say, and so may Flask-Login, which notes in the session
whom it has found there; nothing of it is kept.
"""

from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from flask import Flask

from ..errors import ReadOnlySession, SetupError
from .frames import is_inside

#: Where Flask keeps what the next page is to show; a call shows no page.
FLASHES: Final = "_flashes"
_VIEW: Final = "_wamp_view"
#: Methods by which a session is changed.
_CHANGING: Final = (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
)
#: Attributes by which a session is changed as well.
_CHANGED: Final = frozenset({"modified", "permanent"})


def make_read_only(app: Flask, session: Any, code: CodeType | None) -> None:
    """Keep a request's *session* from being saved, and from what a view does to it.

    :param code: the view's own; None where it has none, which refuses whoever writes.
    :raises SetupError: sessions of this class cannot be kept so.
    """
    kind = session.__class__
    null = app.session_interface.null_session_class
    if issubclass(kind, null):
        # There is no secret key, which Flask says as well.
        return
    if FLASHES in session:
        del session[FLASHES]
    try:
        session.__class__ = _read_only_class(kind, null)
    except TypeError as error:
        raise SetupError(
            f"sessions of the class {kind.__qualname__} cannot be used in a call: {error}; make it "
            "a subclass of dict, as Flask's documentation of SessionInterface has it"
        ) from None
    vars(session)[_VIEW] = code


def _refuse_inside(changed: Any) -> None:
    own = vars(changed)
    if _VIEW in own and is_inside(own[_VIEW]):
        raise ReadOnlySession(
            "the session cannot be changed in a call: it comes from the cookies of the caller's "
            "WebSocket, and no cookie can be set there; change it in a request of HTTP"
        )


def _checked(kind: type[Any], name: str) -> Callable[..., Any]:
    method = getattr(kind, name)

    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_inside(self)
        return method(self, *args, **kwargs)

    return checked


@lru_cache(maxsize=100)
def _read_only_class(kind: type[Any], null: type[Any]) -> type[Any]:
    """Return the sessions of *kind* that Flask does not save, as it does not save those of *null*."""

    set_plainly: Any = kind.__setattr__

    def set_attribute(self: Any, name: str, value: Any) -> None:
        if name in _CHANGED and value:
            _refuse_inside(self)
        set_plainly(self, name, value)

    checked = {name: _checked(kind, name) for name in _CHANGING if hasattr(kind, name)}
    return type(kind.__name__, (null, kind), {"__setattr__": set_attribute, **checked})
