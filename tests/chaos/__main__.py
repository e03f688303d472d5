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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OWN_MOUNTS = "--own-mounts"
#: Serving processes, where there is what supervises them.
PROCESSES = 2 if find_spec("flask_wamp._twisted.supervise") else 0


def main() -> int:
    """Run what is asked for, and print the ledger."""
    # After the exec, so that nothing is imported twice.
    from .faults import ALL, fitting
    from .field import Field
    from .report import as_json, as_markdown, write_page
    from .run import Pace, judged, run, wait_until_well
    from .soak import as_markdown as soaked
    from .soak import not_level, soak

    options = _options(tuple(ALL))
    # The caller's connections are lost all the time; the ledger has what comes of it.
    logging.getLogger("flask_wamp").setLevel(logging.CRITICAL)
    on = Field(
        processes=options.processes,
        rate=options.rate,
        seed=options.seed,
        own_mounts=options.own_mounts,
    )
    try:
        on.start()
        if options.soak:
            began = wait_until_well(on)
            usages = soak(on, options.seconds)
            on.violations += not_level(usages)
            outcome = judged(on, [], began)
            sys.stdout.write(soaked(usages))
        else:
            outcome = run(
                options.faults or fitting(ALL, options.processes),
                on,
                Pace(options.seconds, options.calm, options.seed),
            )
    finally:
        on.end()
    sys.stdout.write(as_markdown(outcome))
    if options.json:
        options.json.write_text(json.dumps(as_json(outcome), indent=2))
    if options.page:
        write_page(options.page, outcome)
    if options.log and outcome.log:
        options.log.write_text(outcome.log)
    return 1 if outcome.violations else 0


def _options(faults: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.0, help="repeat the faults so long")
    parser.add_argument(
        "--soak", action="store_true", help="no faults: is the memory level for --seconds?"
    )
    parser.add_argument("--faults", type=_names, default=(), help=f"of: {','.join(faults)}")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="default: %(default)s")
    parser.add_argument("--rate", type=_rate, default=80.0, help="calls a second, at most 200")
    parser.add_argument("--calm", type=float, default=2.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the ledger there")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    parser.add_argument("--log", type=Path, help="write the node's log there, if anything is wrong")
    parser.add_argument(OWN_MOUNTS, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.faults) - set(faults)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(faults)}")
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
