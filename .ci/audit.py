"""Asks pip-audit for known holes of what is installed, and says what it could not find out.

Ends with 1 where there is a hole. Where the data cannot be had, without a network or from an index
that has none, pip-audit itself ends well; then this says so, and ends well too.
"""

import json
import subprocess
import sys
from typing import Any

COMMAND = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
COMMAND += ["--skip-editable", "--timeout", "15"]
#: Seconds that it may take.
LIMIT = 300.0


def report(found: Any) -> tuple[int, list[str]]:
    """Return the exit code, and what to say.

    :param found: what pip-audit has printed, ``{"dependencies": [...]}``.
    """
    dependencies = [each for each in found["dependencies"] if not _is_editable(each)]
    lines = [
        f"{each['name']} {each['version']}: {hole['id']}, repaired in "
        f"{', '.join(hole['fix_versions']) or 'no version yet'}"
        for each in dependencies
        for hole in each.get("vulns", ())
    ]
    code = 1 if lines else 0
    unknown = [each["name"] for each in dependencies if "skip_reason" in each]
    if len(unknown) == len(dependencies):
        lines.append(f"NOT AUDITED: nothing is known here about any of {len(unknown)} packages")
    elif unknown:
        lines.append(f"Not audited, since nothing is known about them: {', '.join(unknown)}")
    return code, lines


def _is_editable(dependency: dict[str, Any]) -> bool:
    return "editable" in dependency.get("skip_reason", "")


def main() -> int:
    """Ask, and say what the answer is."""
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=LIMIT, check=False)
        code, lines = report(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        code, lines = 0, [f"NOT AUDITED: no answer within {LIMIT:g} s"]
    except ValueError:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        code, lines = 0, [f"NOT AUDITED: {said[-1]}"]
    print(*lines, sep="\n", end="\n" * bool(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
