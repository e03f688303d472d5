"""The tables for the page."""

from pathlib import Path

from .field import SUPERVISED
from .judging import Outcome, Phase
from .ledger import CALL, ERROR, RESULT, Answer, Call, Violation
from .report import BEGIN, END, as_json, as_markdown, write_page


def failing(began: float, told: float, *, name: str = "kill") -> Phase:
    """Return a fault with one call that failed, and one that did not."""
    phase = Phase(name, "SIGKILL", "nothing", None, began, began + 5)
    phase.back, phase.recovered = 1.0, 1.0 + told
    calls = [Call(number, "http", CALL, "com.chaos.test", began, 5.0) for number in range(2)]
    calls[0].answers.append(Answer(ERROR, began + told, error="wamp.error.canceled"))
    calls[1].answers.append(Answer(RESULT, began + 1, 1))
    phase.fill(calls, ("http",), ())
    return phase


def outcome(*phases: Phase, violations: tuple[Violation, ...] = ()) -> Outcome:
    """Return what a run of these faults has shown."""
    return Outcome(
        list(phases),
        [],
        list(violations),
        {},
        {"acknowledged": 3},
        {},
        "tmpfs",
        SUPERVISED,
        2,
        4,
        9.0,
    )


def test_report_has_a_line_for_each_fault_with_the_longest_times() -> None:
    table = as_markdown(outcome(failing(10, 0.1), failing(20, 0.4), failing(30, 0.2, name="cut")))
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `kill`: SIGKILL, 2 times | 4 | 2: 2 `wamp.error.canceled` | 0.40 s | - | 1.00 s | 1.40 s | 0 |",
        "| `cut`: SIGKILL | 2 | 1: 1 `wamp.error.canceled` | 0.20 s | - | 1.00 s | 1.20 s | 0 |",
    ]
    assert "A container supervises 2 processes" in table


def test_report_shows_what_was_broken() -> None:
    broken = tuple(Violation("two answers", str(number)) for number in range(9))
    table = as_markdown(outcome(violations=broken))
    assert "Violations: 9." in table
    assert table.count("two answers") == 5
    assert len(as_json(outcome(violations=broken))["violations"]) == 9


def test_report_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old{END}behind\n")
    for _ in range(2):
        write_page(page, [outcome(failing(10, 0.1)), outcome()])
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}")
    assert text.endswith(f"{END}behind\n")
    assert "old" not in text
    assert text.count("### ") == 2
