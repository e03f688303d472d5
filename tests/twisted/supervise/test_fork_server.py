"""What a fork server has imported can be forked: no reactor, and no thread."""

import subprocess
import sys

from flask_wamp._twisted.supervise.fork_server import LIBRARIES

PROGRAM = """
import importlib, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
assert "twisted.internet.reactor" not in sys.modules, "a reactor is installed"
assert threading.active_count() == 1, threading.enumerate()
"""


def test_libraries_install_no_reactor_and_start_no_thread() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, *LIBRARIES], check=True)
