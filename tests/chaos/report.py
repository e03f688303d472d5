"""The ledger as a person reads it, and as a program does."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from .field import ALONE, GUEST, SUPERVISED
from .judging import Outcome, Phase, tally

#: Violations that are shown of each rule.
SHOWN = 5
#: Between these the page has the table.
BEGIN, END = '<!-- made by the run: make chaos ARGS="--page docs/chaos.md" -->\n', "<!-- end -->\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what a run has shown, for ``--json``."""
    return {
        "shape": outcome.shape,
        "processes": outcome.processes,
        "recycled": outcome.recycled,
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
        "began": round(phase.began, 3),
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
    "of these failed, and with what",
    "longest wait for an error",
    "node away",
    "processes back after",
    "all well after",
    "events not handled",
)
NODES = {
    SUPERVISED: "A container supervises {processes} processes",
    GUEST: "A guest supervises {processes} processes",
    ALONE: "The container serves, and nothing supervises it",
}


def as_markdown(outcome: Outcome) -> str:
    """Return the ledger as a table, and what was broken."""
    title = NODES[outcome.shape].format(processes=outcome.processes)
    lines = [f"### {title}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    names = dict.fromkeys(phase.name for phase in outcome.phases)
    rows = [_row([each for each in outcome.phases if each.name == name]) for name in names]
    rows.append(["nothing", *_calls(tally(outcome.steady)), *["-"] * 4, "0"])
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"- Events: {_counted(outcome.events)}.",
        f"- Durable events: {_counted(outcome.durables)}.",
        f"- The small disk: {outcome.disk}.",
        f"- Processes replaced after so many calls, meanwhile: {outcome.recycled}.",
        f"- Not sent, as many as allowed were in flight: {_counted(outcome.not_offered)}.",
        f"- Violations: {len(outcome.violations)}.",
    ]
    shown: Counter[str] = Counter()
    for violation in outcome.violations:
        shown[violation.rule] += 1
        if shown[violation.rule] <= SHOWN:
            lines.append(f"    - {violation.rule}: {violation.what}")
    return "\n".join(lines) + "\n"


def _row(phases: Sequence[Phase]) -> list[str]:
    """Return the line of a fault that came once or more: sums, and the longest times."""
    first = phases[0]
    again = f", {len(phases)} times" if len(phases) > 1 else ""
    ended, ready = (
        max((at for at in map(attrgetter(name), phases) if at is not None), default=None)
        for name in ("node_ended", "node_ready")
    )
    return [
        f"`{first.name}`: {first.what}{again}",
        *_calls(tally([call for phase in phases for call in phase.calls])),
        _longest(phase.told for phase in phases),
        "-" if ended is None else f"{_seconds(ended)} to {_seconds(ready)}",
        _longest(phase.back for phase in phases),
        _longest(phase.recovered for phase in phases),
        str(sum(phase.unhandled for phase in phases)),
    ]


def _calls(counted: Mapping[str, Any]) -> tuple[str, str]:
    """Return how many calls there were, and what became of those that failed."""
    kinds = [f"{count} {_readable(name)}" for name, count in counted["errors"].items()]
    kinds += [f"{counted[name]} {name}" for name in ("timeouts", "no answer") if counted[name]]
    failed = counted["calls"] - counted["results"]
    return str(counted["calls"]), f"{failed}: {', '.join(kinds)}" if failed else "0"


def _readable(name: str) -> str:
    error, space, ran = name.partition(" (")
    return f"`{error}`{space}{ran}"


def _longest(times: Iterable[float | None]) -> str:
    return _seconds(max((at for at in times if at is not None), default=None))


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "0"


def write_page(page: Path, outcomes: Iterable[Outcome]) -> None:
    """Put the tables into a page, in the place of those before."""
    before, _, rest = page.read_text().partition(BEGIN)
    tables = "\n".join(map(as_markdown, outcomes))
    page.write_text(before + BEGIN + "\n" + tables + "\n" + END + rest.partition(END)[2])
