"""What `make check` says about known holes of dependencies."""

import importlib.util
from typing import Any

import pytest

from .doubles import ROOT

spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

FINE = {"name": "flask", "version": "3.1", "vulns": []}
HOLE = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
BAD = {"name": "old", "version": "1.0", "vulns": [HOLE, {"id": "PYSEC-2", "fix_versions": []}]}
UNKNOWN = {"name": "strange", "skip_reason": "Dependency not found on PyPI"}
OURS = {"name": "flask-wamp", "skip_reason": "distribution marked as editable"}


@pytest.mark.parametrize(
    ("dependencies", "code", "lines"),
    [
        ([FINE, OURS], 0, []),
        ([FINE, BAD], 1, ["old 1.0: PYSEC-1, repaired in 2.0", "old 1.0: PYSEC-2, repaired in no version yet"]),
        ([FINE, UNKNOWN], 0, ["Not audited, since nothing is known about them: strange"]),
        ([UNKNOWN, OURS], 0, ["NOT AUDITED: nothing is known here about any of 1 packages"]),
    ],
)  # fmt: skip
def test_audit_says_what_is_known(dependencies: list[Any], code: int, lines: list[str]) -> None:
    assert audit.report({"dependencies": dependencies}) == (code, lines)


def test_audit_without_an_answer_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; sys.exit('cannot resolve the name')"
    monkeypatch.setattr(audit, "COMMAND", [audit.sys.executable, "-c", program])
    assert audit.main() == 0
    assert capsys.readouterr().out == "NOT AUDITED: cannot resolve the name\n"


def test_audit_that_takes_too_long_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import time; time.sleep(60)"
    monkeypatch.setattr(audit, "COMMAND", [audit.sys.executable, "-c", program])
    monkeypatch.setattr(audit, "LIMIT", 0.2)
    assert audit.main() == 0
    assert capsys.readouterr().out == "NOT AUDITED: no answer within 0.2 s\n"
