"""Prints an interpreter for each Python that pyproject.toml claims, one a line.

In CI it fails where one is missing, since what is claimed is to be tried; elsewhere it says so.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

CLASSIFIER = "Programming Language :: Python :: 3."


def candidates(version: str) -> Iterator[str]:
    """Yield where an interpreter may be: on the path, then where pyenv keeps those that are not."""
    found = shutil.which(f"python{version}")
    if found is not None:
        yield found
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in sorted(root.glob(f"versions/{version}.*/bin/python{version}")):
        yield str(path)


def interpreter(version: str) -> str | None:
    """Return the interpreter of a version that runs; shims on the path may stand for none."""
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for candidate in candidates(version):
        run = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        answer, _, executable = run.stdout.strip().partition(" ")
        if run.returncode == 0 and answer == version:
            return executable
    return None


def main() -> None:
    """Print them."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    versions = [
        classifier.rpartition(" ")[2]
        for classifier in project["classifiers"]
        if classifier.startswith(CLASSIFIER)
    ]
    missing = []
    for version in versions:
        found = interpreter(version)
        if found is None:
            missing.append(version)
        else:
            print(found)
    if missing:
        print(f"no Python {', '.join(missing)} here, which pyproject.toml claims", file=sys.stderr)
        if os.environ.get("CI"):
            sys.exit(1)


if __name__ == "__main__":
    main()
