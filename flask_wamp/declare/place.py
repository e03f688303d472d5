"""Where a declaration stands in the code. Standard library only."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

#: What declares for somebody else.
_OURS = ("flask_wamp.declare.",)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the code.

    :ivar name: of the function, or of the module for a statement.
    """

    name: str
    file: str | None = None
    line: int | None = None

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "Place":
        """Return the place of the function that decorators wrap."""
        inner = inspect.unwrap(function)
        module = getattr(inner, "__module__", type(inner).__module__)
        name = f"{module}.{getattr(inner, '__qualname__', type(inner).__qualname__)}"
        code = getattr(inner, "__code__", None)
        return cls(name) if code is None else cls(name, code.co_filename, code.co_firstlineno)

    @classmethod
    def of_statement(cls) -> "Place":
        """Return the place of the statement that has called into this package."""
        frame: FrameType | None = inspect.currentframe()
        while frame is not None and str(frame.f_globals.get("__name__")).startswith(_OURS):
            frame = frame.f_back
        if frame is None:
            return cls("?")
        name = str(frame.f_globals.get("__name__", "?"))
        return cls(name, frame.f_code.co_filename, frame.f_lineno)

    def __str__(self) -> str:
        return self.name if self.file is None else f"{self.name} ({self.file}:{self.line})"
