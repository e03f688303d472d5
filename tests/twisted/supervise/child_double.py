"""A program that speaks as a serving process does, and does what its application's name says."""

import json
import os
import signal
import sys
import threading
import time
from typing import Any


def report(what: str, **more: Any) -> None:
    """Write a line to the supervisor."""
    os.write(3, json.dumps({"is": what, **more}).encode() + b"\n")


def say(line: str) -> None:
    """Print a line."""
    os.write(1, f"{line}\n".encode())


def beat_for_ever() -> None:
    """Live."""
    while True:
        report("beat", oldest=None, running=0, calls=0, joined=True, subscribes=False)
        time.sleep(0.1)


def main() -> None:
    """Do what the settings say."""
    settings = json.loads(sys.argv[1])
    wish = settings["application"].partition(":")[2]
    say(f"begins {settings['slot']}")
    if wish == "noise":
        os.write(1, b"x" * 100_000 + b"\n")
        os.write(2, b"<3>grave\n")
        os.write(3, b"no json\n[]\n" + b"[" * 200_000 + b"\n")
    if wish == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if wish == "fails":
        report("failed", why="cannot load it")
        sys.exit(7)
    threading.Thread(target=beat_for_ever, daemon=True).start()
    report("ready", session=1, procedures=1, subscribes=False)
    for word in sys.stdin:
        say(f"told {word.strip()}")
        if word.strip() == "drain":
            report("drained", unfinished=2)
            break
    say("ends")
    os._exit(0)


if __name__ == "__main__":
    main()
