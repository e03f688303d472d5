"""A value that nothing prints."""

from typing import Any, NoReturn


class Secret:
    """A password, ticket or key: no repr, log line, error or traceback's locals shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for who sends it or computes with it."""
        return self._value

    def __repr__(self) -> str:
        return "'***'"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def __format__(self, _spec: str) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"


def hidden(value: Any) -> Any:
    """Return a text as a secret, and anything else as it is."""
    return Secret(value) if isinstance(value, str) else value


def revealed(value: Any) -> Any:
    """Return what *value* keeps secret, or *value* itself."""
    return value.reveal() if isinstance(value, Secret) else value
