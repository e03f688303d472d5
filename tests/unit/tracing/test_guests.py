"""What a guest of a node writes, as its node reads it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from flask_wamp.tracing.guests import AWARE, LEVEL_OF_NODE, SEPARATOR

BEGIN = """
import logging, sys
from flask_wamp.tracing.guests import log_as_guest
log_as_guest()
"""


def written(program: str, level: str | None = None) -> list[dict[str, Any]]:
    """Run a guest, and return its records."""
    environ = {key: value for key, value in os.environ.items() if key != LEVEL_OF_NODE}
    if level is not None:
        environ[LEVEL_OF_NODE] = level
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + program], env=environ, stderr=subprocess.PIPE
    ) as guest:
        assert guest.stderr is not None
        # It waits for this, so that nothing of the rest comes with it.
        assert os.read(guest.stderr.fileno(), 4096) == AWARE.encode()
        said = guest.stderr.read().decode()
        assert guest.wait() == 0
    *records, rest = said.split(SEPARATOR)
    assert rest == ""
    return [json.loads(record) for record in records]


def test_guest_writes_records_with_their_levels() -> None:
    found = written(
        """
log = logging.getLogger("shop")
log.info("{tea}\\nforged \\x1e")
try:
    raise LookupError("no tea")
except LookupError:
    log.exception("failed")
"""
    )
    assert [(each["level"], each["namespace"]) for each in found] == [
        ("info", "shop"),
        ("error", "shop"),
    ]
    assert found[0]["text"].format() == "shop: {tea}\\nforged \\x1e"
    head, *traceback = found[1]["text"].split("\n")
    assert head == "shop: failed"
    assert traceback[-1] == "    LookupError: no tea"


def test_guest_writes_its_standard_streams_line_by_line() -> None:
    found = written("print('one\\ntwo')\nprint('three', file=sys.stderr)")
    assert [(each["level"], each["text"]) for each in found] == [
        ("info", "one"),
        ("info", "two"),
        ("warn", "three"),
    ]


@pytest.mark.parametrize(("level", "heard"), [(None, 1), ("warn", 0), ("debug", 2)])
def test_guest_has_the_level_of_its_node(level: str | None, heard: int) -> None:
    program = "log = logging.getLogger('shop'); log.info('one'); log.debug('two')"
    assert len(written(program, level)) == heard
