"""An application with procedures that one process has each, and a door to its processes."""

import os
from pathlib import Path
from time import sleep

from flask import Flask, g

from flask_wamp import WAMP

#: How many procedures there are.
COUNT = 8

app = Flask(__name__)
wamp = WAMP(app)
wamp.callee("com.alone.shared")(os.getpid)
for number in range(COUNT):
    wamp.callee(f"com.alone.{number}", invoke="single")(os.getpid)


@app.get("/shared")
def shared() -> str:
    """Call a procedure of this application's processes."""
    return str(g.wampy.call("com.alone.shared"))


def guarded() -> Flask:
    """Make the application in as many processes as the directory of the door lets in."""
    door = os.environ.get("ALONE_DOOR")
    while door is not None and not _has_let_in(Path(door)):
        sleep(0.05)
    return app


def _has_let_in(door: Path) -> bool:
    """Take a ticket, where there is one."""
    for ticket in door.glob("ticket-*"):
        try:
            ticket.unlink()
        except FileNotFoundError:
            continue
        return True
    return False
