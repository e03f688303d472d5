"""Who computes in a process, of a real one."""

import subprocess
import sys

import pytest

from flask_wamp._twisted.supervise.computing import take_turns, times_of
from tests.node.support import wait_until

PROGRAM = """
import threading
def compute():
    while True:
        pass
for _number in range({threads}):
    threading.Thread(target=compute).start()
print("computes", flush=True)
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_take_turns_where_there_are_several(threads: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(threads=threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"computes\n"
            before = times_of(process.pid)
            wait_until(
                lambda: sum(times_of(process.pid).values()) > sum(before.values()) + 40,
                "it has computed for a while",
            )
            assert take_turns(before, times_of(process.pid)) is (threads > 1)
        finally:
            process.kill()


def test_process_that_is_not_there_has_no_times() -> None:
    assert times_of(None) == {}
    assert not take_turns({}, {1: 100})
