"""What an application has called and published, to be looked at and compared in tests."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

from ..call.options import Options


class Record:
    """What went out. Tests make some of their own, to compare with: options do not count then.

    :ivar args: the positional payload as it has travelled, a tuple of lists, dicts, str, ...
    :ivar kwargs: the keyword payload.
    :ivar options: what ``with_options``, or ``acknowledge=``, was given.
    """

    __slots__ = ("_name", "args", "kwargs", "options")
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        self._name = name
        self.args = args
        self.kwargs = kwargs
        self.options: dict[str, Any] = {}

    @classmethod
    def of(
        cls, name: str, args: list[Any], kwargs: Mapping[str, Any], options: Options, usual: Options
    ) -> Self:
        """Return the record of what goes out with *options*; those that are *usual* go unnamed."""
        record = cls(name, *args, **kwargs)
        for field in fields(Options):
            value = getattr(options, field.name)
            if value is not None and value != getattr(usual, field.name):
                record.options[field.name] = value
        return record

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Record)  # noqa: S101  # nosec B101
        return (self._name, self.args, self.kwargs) == (other._name, other.args, other.kwargs)

    def __repr__(self) -> str:
        parts = [repr(self._name), *map(repr, self.args)]
        parts += [f"{key}={value!r}" for key, value in self.kwargs.items()]
        text = f"{type(self).__name__}({', '.join(parts)})"
        if not self.options:
            return text
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"<{text} with {options}>"


class Call(Record):
    """A call that the application has made: ``Call("com.other.price", "tea", count=3)``."""

    __slots__ = ()

    @property
    def uri(self) -> str:
        """The procedure."""
        return self._name


class Publication(Record):
    """An event that the application has published: ``Publication("com.shop.sold", "tea")``.

    :ivar id: the publication id, which its handlers had as ``event.publication``; 0 in one that
        a test has made.
    :ivar event_id: the id of a durable event, which its handlers had as ``event.id``; None of others.
    """

    __slots__ = ("event_id", "id")

    def __init__(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self.id = 0
        self.event_id: str | None = None

    @property
    def topic(self) -> str:
        """The topic."""
        return self._name
