"""Which function's code a thread runs."""

import inspect
from types import CodeType
from typing import Any, Final

#: Where Flask-Login finds users out, and refuses them, also in the middle of a view.
FLASK_LOGIN: Final = "flask_login.login_manager"


def code_of(function: Any) -> CodeType | None:
    """Return the code that runs first when *function* is called; None where it is not Python's."""
    for found in (function, getattr(function, "func", None), type(function).__call__):
        code = getattr(found, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def is_inside(code: CodeType | None) -> bool:
    """Tell whether this thread runs *code*, and nothing of Flask-Login's for it.

    Without a code, whatever else it runs is taken for it.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is code:
            return True
        if frame.f_globals.get("__name__") == FLASK_LOGIN:
            return False
        frame = frame.f_back
    return code is None
