"""The ledger as a person reads it, and as a program does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .judging import Outcome, Phase, tally

#: Violations that are shown of each rule.
SHOWN = 5
#: Between these the page has the table.
BEGIN, END = '<!-- made by the run: make chaos ARGS="--page docs/chaos.md" -->\n', "<!-- end -->\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what a run has shown, for ``--json``."""
    return {
        "processes": outcome.processes,
        "seconds": round(outcome.seconds, 1),
        "disk": outcome.disk,
        "phases": [_phase(phase) for phase in outcome.phases],
        "steady": tally(outcome.steady),
        "not offered": dict(outcome.not_offered),
        "events": dict(outcome.events),
        "durable events": dict(outcome.durables),
        "violations": [
            {"rule": violation.rule, "what": violation.what, "at": violation.at}
            for violation in outcome.violations
        ],
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "fault": phase.name,
        "what": phase.what,
        **tally(phase.calls),
        "longest wait for an error": _rounded(phase.told),
        "first success after": _rounded(phase.first_success),
        "processes back after": _rounded(phase.back),
        "node ended after": _rounded(phase.node_ended),
        "node ready after": _rounded(phase.node_ready),
        "well after": _rounded(phase.recovered),
        "events not handled": phase.unhandled,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


COLUMNS = (
    "fault",
    "calls",
    "results",
    "errors",
    "timeouts",
    "longest wait for an error",
    "first success after",
    "processes back after",
    "node ended after",
    "node ready after",
    "well after",
    "events not handled",
)


def as_markdown(outcome: Outcome) -> str:
    """Return the ledger as a table, and what was broken."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    rows = [*map(_phase, outcome.phases), {"fault": "(none)", **tally(outcome.steady)}]
    lines += [f"| {' | '.join(_cell(row.get(name)) for name in COLUMNS)} |" for row in rows]
    lines += [
        "",
        f"Events: {_cell(outcome.events)}.",
        f"Durable events: {_cell(outcome.durables)}.",
    ]
    lines.append(f"The disk: {outcome.disk}.")
    lines.append(f"Not sent, as many as allowed were in flight: {_cell(outcome.not_offered)}.")
    lines.append(f"Violations: {len(outcome.violations)}.")
    shown: dict[str, int] = {}
    for violation in outcome.violations:
        shown[violation.rule] = shown.get(violation.rule, 0) + 1
        if shown[violation.rule] <= SHOWN:
            lines.append(f"- {violation.rule}: {violation.what}")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f} s"
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "0"
    return "-" if value is None else str(value)


def write_page(page: Path, outcome: Outcome) -> None:
    """Put the table into a page, in the place of the one before."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(before + BEGIN + as_markdown(outcome) + END + rest.partition(END)[2])
