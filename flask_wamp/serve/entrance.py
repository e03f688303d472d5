"""Whether a view itself has run, or what stands around it has answered in its place."""

import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from ..login.frames import code_of


class Entrance:
    """The way to a view through the decorators that stand on it.

    :ivar code: the view's own, below all decorators that say what they wrap; None for a callable
        that has none.
    """

    __slots__ = ("_is_seen", "_is_wrapped", "code")

    def __init__(self, function: Callable[..., Any]) -> None:
        inner = inspect.unwrap(function)
        self.code = code_of(inner)
        self._is_wrapped = inner is not function
        # Flask runs a coroutine function on a thread of its own.
        self._is_seen = self.code is not None and not inspect.iscoroutinefunction(inner)

    def visit(self) -> "Visit":
        """Return what tells of one call whether the view has run."""
        return Visit(self.code, is_seen=self._is_seen, is_wrapped=self._is_wrapped)


class Visit:
    """One call of a view.

    :ivar began: whether the view itself has run; None where that cannot be told.
    """

    __slots__ = ("_code", "_is_seen", "_is_wrapped", "began")

    def __init__(self, code: CodeType | None, *, is_seen: bool, is_wrapped: bool) -> None:
        self._code = code
        self._is_seen = is_seen
        self._is_wrapped = is_wrapped
        self.began: bool | None = False

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call *function*, and see whether the view begins.

        Python tells of each function that begins, and is told to stop when it is the view: what
        this costs, the decorators pay.
        """
        if not self._is_wrapped:
            self.began = True
            return function(*args, **kwargs)
        if not self._is_seen or sys.getprofile() is not None:
            self.began = None
            return function(*args, **kwargs)
        sys.setprofile(self._look)
        try:
            return function(*args, **kwargs)
        finally:
            if not self.began:
                sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code is self._code:
            sys.setprofile(None)
            self.began = True
