"""Starts the README's application of 20 lines where flask-wamp is installed, and calls it.

``python try_readme.py README.md DIRECTORY``: its files are written into the directory, which is
empty, and so is a node, by ``flask wamp init``; its port is a free one. Ends with 0 if the application answers over HTTP and over WAMP
and the node says nothing but that it is ready.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ("app.py", "client.py")
#: Seconds that the node, and each answer, may take.
LIMIT = 90.0


def free_port() -> str:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def main(readme: str, directory: str) -> None:
    """Write, start, ask and stop."""
    blocks = dict(BLOCK.findall(Path(readme).read_text()))
    port = free_port()
    os.chdir(directory)
    for name in FILES:
        Path(name).write_text(blocks[name].replace("8080", port))
    log = Path("node.log")
    flask = [sys.executable, "-m", "flask", "wamp"]
    subprocess.run([*flask, "init", "--port", port], stdin=subprocess.DEVNULL, check=True)
    with log.open("wb") as output:
        node = subprocess.Popen([*flask, "run"], stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + LIMIT
        while " is ready at http://" not in log.read_text():
            if node.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the node is not ready:\n{log.read_text()}")
            time.sleep(0.1)
        page = urlopen(f"http://127.0.0.1:{port}/add/1/2", timeout=LIMIT).read()  # nosec B310
        answer = subprocess.run(
            [sys.executable, "client.py"], capture_output=True, text=True, timeout=LIMIT, check=True
        )
    finally:
        node.send_signal(signal.SIGINT)
        code = node.wait(LIMIT)
    print(f"over HTTP {page.decode().strip()}, over WAMP {answer.stdout.strip()}")
    if b'"total":3' not in page.replace(b" ", b"") or answer.stdout.strip() != "{'total': 3}":
        sys.exit("that is not 3")
    if answer.stderr or "Traceback" in log.read_text() or code != 0:
        sys.exit(f"it ended with {code}, and said\n{answer.stderr}{log.read_text()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
