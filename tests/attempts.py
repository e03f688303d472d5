"""What people try who do not belong there, and what comes of it: marks tests, and makes the table.

``python -m tests.attempts`` writes the table of ``docs/attempts.md`` anew, out of the tests.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "attempts.md"
BEGIN, END = "<!-- made from the tests: python -m tests.attempts -->\n", "<!-- end -->\n"


def attempt(about: str, what: str, outcome: str) -> Callable[[F], F]:
    """Mark a test that tries *what*, and asserts that its *outcome* is this one.

    :param about: the table that it stands in: one of :data:`SUBJECTS`.
    """
    assert about in SUBJECTS, about

    def mark(test: F) -> F:
        return test

    return mark


SUBJECTS = {
    "login": "Getting in as somebody else",
    "rights": "Doing what the role may not",
    "sessions": "Sessions that break the protocol",
    "limits": "Too much, too long, too slow",
    "pages": "Other sites and other hosts",
    "engine": "Holes of the engine",
}


@dataclass(frozen=True)
class Attempt:
    """A row of the table."""

    about: str
    what: str
    outcome: str
    test: str


def attempts() -> Iterator[Attempt]:
    """Find the marked tests, without importing them."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "attempt(" not in path.read_text():
            continue
        for node in ast.parse(path.read_text()).body:
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "attempt":
                    about, what, outcome = (ast.literal_eval(each) for each in mark.args)
                    name = f"{path.relative_to(ROOT)}::{node.name}"  # type: ignore[attr-defined]
                    yield Attempt(about, what, outcome, name)


def table() -> str:
    """Return the tables of the page."""
    found = list(attempts())
    lines = []
    for about, title in SUBJECTS.items():
        rows = [row for row in found if row.about == about]
        if rows:
            lines += [f"## {title}", "", "| attempt | outcome | test |", "|---|---|---|"]
            lines += [f"| {row.what} | {row.outcome} | `{row.test}` |" for row in rows]
            lines.append("")
    return "\n".join(lines) + "\n" if lines else ""


def written() -> str:
    """Return the tables as the page has them."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
