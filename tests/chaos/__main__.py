"""``python -m tests.chaos``: a node under load and faults, and the ledger of it.

Exit code 1 where something was that must never be. The node's log is then kept, in ``--log FILE``.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .judging import Outcome

OWN_MOUNTS = "--own-mounts"


def main() -> int:
    """Run what is asked for, and print the ledger."""
    # After the exec, so that nothing is imported twice.
    from .field import SHAPES, SUPERVISED
    from .report import as_json, as_markdown, write_page

    options = _options()
    # The caller's connections are lost all the time; the ledger has what comes of it.
    logging.getLogger("flask_wamp").setLevel(logging.CRITICAL)
    is_one = options.soak or options.faults
    shapes = [options.shape] if options.shape else [SUPERVISED] if is_one else SHAPES
    outcomes = []
    for shape in shapes:
        outcomes.append(_on(shape, options))
        sys.stdout.write(as_markdown(outcomes[-1]))
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps([as_json(each) for each in outcomes], indent=2))
    if options.page:
        write_page(options.page, outcomes)
    if options.log:
        options.log.write_text("".join(each.log for each in outcomes))
    return 1 if any(each.violations for each in outcomes) else 0


def _on(shape: str, options: argparse.Namespace) -> "Outcome":
    """Return what a node of this shape has shown."""
    from .faults import USUAL
    from .field import SUPERVISED, Field
    from .run import Pace, judged, run, wait_until_well
    from .soak import as_markdown, not_level, soak

    on = Field(
        shape=shape,
        processes=options.processes,
        rate=options.rate,
        seed=options.seed,
        own_mounts=options.own_mounts,
        recycles=not options.soak,
    )
    try:
        on.start()
        if options.soak:
            began = wait_until_well(on)
            usages = soak(on, options.seconds)
            on.violations += not_level(usages)
            sys.stdout.write(as_markdown(usages))
            return judged(on, [], began)
        # Only the usual node is broken again and again.
        seconds = options.seconds if shape == SUPERVISED or options.shape else 0.0
        pace = Pace(seconds, options.calm, options.seed, options.patience)
        return run(options.faults or USUAL[shape], on, pace)
    finally:
        on.end()


def _options() -> argparse.Namespace:
    from .faults import ALL
    from .field import ALONE, GUEST, SUPERVISED
    from .judging import PATIENCE

    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.0, help="repeat the faults so long")
    parser.add_argument(
        "--soak", action="store_true", help="no faults: is the memory level for --seconds?"
    )
    parser.add_argument("--faults", type=_names, default=(), help=f"of: {','.join(ALL)}")
    parser.add_argument(
        "--processes", type=int, default=2, help="0: the container serves; default: %(default)s"
    )
    parser.add_argument(
        "--guest", action="store_true", help="a guest serves; default: each in turn"
    )
    parser.add_argument("--rate", type=_rate, default=80.0, help="calls a second, at most 200")
    parser.add_argument("--calm", type=float, default=2.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        help="how much longer than promised an error may take; default: %(default)s",
    )
    parser.add_argument("--json", type=Path, help="write the ledgers there")
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    parser.add_argument(
        "--log", type=Path, help="write the nodes' logs there, if anything is wrong"
    )
    parser.add_argument(OWN_MOUNTS, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.shape = GUEST if options.guest else ALONE if not options.processes else None
    for name in options.faults:
        if name not in ALL:
            parser.error(f"no such fault: {name}; there are {', '.join(ALL)}")
        if (options.shape or SUPERVISED) not in ALL[name].shapes:
            parser.error(f"{name} is for a node that is {' or '.join(ALL[name].shapes)}")
    return options


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _rate(text: str) -> float:
    rate = float(text)
    if not 1 <= rate <= 200:
        raise argparse.ArgumentTypeError("give 1 to 200")
    return rate


def _with_mounts_of_its_own() -> None:
    """Become a process that may mount a small disk, where the kernel lets anybody do so."""
    unshare = shutil.which("unshare")
    if OWN_MOUNTS in sys.argv or unshare is None:
        return
    command = [unshare, "--user", "--map-root-user", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        arguments = [sys.executable, "-m", "tests.chaos", *sys.argv[1:], OWN_MOUNTS]
        os.execv(unshare, [*command, *arguments])  # noqa: S606 - becomes it, without a shell


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    _with_mounts_of_its_own()
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
