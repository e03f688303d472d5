"""What a rule finds, and the table that rules are in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..layout import Layout

ERROR, WARNING = "error", "warning"

#: Where it is, what is wrong, and what to do.
Told = tuple[str, str, str]
Look = Callable[[Layout], Iterator[Told]]


@dataclass(frozen=True)
class Finding:
    """A mistake, or what is likely to be one.

    :ivar rule: the rule's name.
    :ivar severity: ``error`` or ``warning``.
    :ivar where: the part of the configuration, or a file.
    """

    rule: str
    severity: str
    where: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """A rule of the table."""

    name: str
    severity: str
    look: Look

    def findings(self, layout: Layout) -> list[Finding]:
        """Return what the rule finds in a node."""
        return [Finding(self.name, self.severity, *told) for told in self.look(layout)]


class Rules:
    """The rules of a module, by name."""

    def __init__(self) -> None:
        self.table: dict[str, Rule] = {}

    def error(self, look: Look) -> Look:
        """Add a rule: what it finds does not work, or is a hole."""
        return self._add(look, ERROR)

    def warning(self, look: Look) -> Look:
        """Add a rule: what it finds works, until it does not."""
        return self._add(look, WARNING)

    def _add(self, look: Look, severity: str) -> Look:
        name = look.__name__.replace("_", "-")
        self.table[name] = Rule(name, severity, look)
        return look
