"""An application whose views do what ends or stops a process."""

import ctypes
import logging
import os
import signal
import threading
import time

from flask import Flask, g

from flask_wamp import WAMP

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=30)
app.config.from_prefixed_env()
wamp = WAMP(app)
log = logging.getLogger("perils")


@app.get("/")
def page() -> str:
    """Answer over HTTP, in the router's process."""
    return "here"


@app.get("/traced")
def traced_page() -> str:
    """Ask for what another process logs."""
    g.wampy.call("com.perils.traced")
    return "traced"


@wamp.callee("com.perils.traced")
def traced() -> None:
    """Log, as views do."""
    log.warning("traced in %d", os.getpid())


@wamp.callee("com.perils.pid")
def pid() -> int:
    """Return who answers."""
    return os.getpid()


@wamp.callee("com.perils.hold")
def hold(seconds: float) -> int:
    """Take a while, and return who answers."""
    time.sleep(seconds)
    return os.getpid()


@wamp.callee("com.perils.segfault")
def segfault() -> None:
    """Read what is not there."""
    ctypes.string_at(0)


@wamp.callee("com.perils.exit")
def leave() -> None:
    """End the process without a word."""
    os._exit(3)


@wamp.callee("com.perils.killed")
def killed() -> None:
    """Be killed, as for memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@wamp.callee("com.perils.forks")
def forks() -> None:
    """Die before a copy of the process, as ``multiprocessing`` makes it."""
    copy = os.fork()
    if not copy:
        time.sleep(60)
        os._exit(0)
    os.write(1, f"the copy is {copy}.\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


@wamp.callee("com.perils.stopped")
def stopped() -> None:
    """Be stopped."""
    os.kill(os.getpid(), signal.SIGSTOP)
    threading.Event().wait()


@wamp.callee("com.perils.holds_the_lock")
def holds_the_lock() -> None:
    """Run C code that does not let go of the interpreter's lock."""
    ctypes.PyDLL(None).sleep(60)


@wamp.callee("com.perils.loop")
def loop() -> None:
    """Never end."""
    while True:
        pass
