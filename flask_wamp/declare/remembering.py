"""Exceptions that keep the arguments they were made with, to be made again elsewhere."""

from typing import Any

_ARGUMENTS = "_flask_wamp_arguments"
_REMEMBERS = "_flask_wamp_remembers"


def arguments_of(exception: Exception) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and keyword arguments that *exception* was made with."""
    args, kwargs = getattr(exception, _ARGUMENTS, (exception.args, {}))
    return args, kwargs


def remember_arguments(exception: type[Exception]) -> None:
    """Make instances of *exception* keep what they were made with.

    ``BaseException.args`` is what the class handed to ``super().__init__``, often a text, while a
    caller needs the constructor's own arguments to raise the same exception again.
    """
    if _REMEMBERS in vars(exception):
        return
    inherited_new = exception.__new__

    def remembering_new(cls: type[Exception], *args: Any, **kwargs: Any) -> Exception:
        self = inherited_new(cls, *args, **kwargs)
        setattr(self, _ARGUMENTS, (args, kwargs))
        return self

    exception.__new__ = remembering_new  # type: ignore[method-assign,assignment]
    setattr(exception, _REMEMBERS, True)
