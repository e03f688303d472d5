"""``flask wamp`` as people run it: processes with an end of their own, beside a real node."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flask_wamp.node import CrossbarNode

from .programs import Program, python
from .relay import Relay
from .support import APPS, LIMIT, ROOT, Peer, error_of

pytestmark = pytest.mark.node

SCRIPT = f"{APPS}.script"


def command(*words: str, **env: str) -> Program:
    """Start ``flask wamp`` with *words*, for the script's application."""
    return python("-m", "flask", "--app", SCRIPT, "wamp", *words, env=env)


def test_subscribe_prints_events_until_it_is_interrupted(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    words = ["subscribe", "com.outside.", "--match", "prefix"]
    with command(*words, FLASK_WAMP_URL=peers_node.backend_url) as program:
        assert program.wait_for("subscribed").startswith("subscribed to com.outside.;")
        # The application declares procedures and a handler, which this process does not serve.
        error = error_of(lambda: anonymous.call("com.outside.add", 1, 2))
        assert error.error == "wamp.error.no_such_procedure"
        anonymous.publish("com.outside.topic", "two words", 3, message="hello")
        anonymous.publish("com.outside.other")
        assert program.wait_for("com.outside.topic") == (
            'com.outside.topic "two words" 3 message="hello"'
        )
        program.wait_for("com.outside.other")
        assert program.end(signal.SIGINT) == 0
        assert "Traceback" not in program.output
        assert "consumed" not in program.output


def test_subscribe_goes_on_after_a_lost_connection(relay: Relay, anonymous: Peer) -> None:
    words = ["subscribe", "--json", "--count", "2", "com.cli.survived"]
    with command(*words, FLASK_WAMP_URL=relay.url) as program:
        program.wait_for("subscribed to com.cli.survived")
        anonymous.publish("com.cli.survived", 1)
        first = json.loads(program.wait_for('"args": [1]'))
        relay.close()
        program.wait_for(f"the connection to {relay.url} was lost: ")
        relay.listen()
        program.wait_for(f"connected to {relay.url}")
        publication = anonymous.publish("com.cli.survived", 2, key="größer")
        # The second event is the last one to be printed.
        assert program.wait() == 0
    last = json.loads(program.output.splitlines()[-1])
    assert first.pop("publication") != publication
    assert first == {
        "topic": "com.cli.survived",
        "publisher": anonymous.id,
        "publisher_authid": anonymous.session.welcome.authid,
        "publisher_authrole": "anonymous",
        "retained": False,
        "args": [1],
        "kwargs": {},
    }
    assert (last["publication"], last["kwargs"]) == (publication, {"key": "größer"})


def test_subscribe_ends_when_nobody_reads_any_more(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    """As in `flask wamp subscribe com.x | head -1`."""
    with subprocess.Popen(
        [sys.executable, "-m", "flask", "wamp", "subscribe", "com.cli.unread",
         "--url", peers_node.backend_url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            assert program.stderr.readline().startswith("subscribed to com.cli.unread")
            program.stdout.close()
            anonymous.publish("com.cli.unread")
            assert program.wait(LIMIT) == 1
            assert program.stderr.read() == ""
        finally:
            program.kill()


def test_shell_has_wampy_connected(peers_node: CrossbarNode, tmp_path: Path) -> None:
    env = {"FLASK_WAMP_URL": peers_node.backend_url, "HOME": str(tmp_path)}
    with command("shell", **env) as program:
        program.wait_for("wampy is connected, realm realm1")
        program.write("wampy.call('com.test.add', 20, b=22)")
        program.write("(wampy is g.wampy, app.name, processed)")
        program.write("exit()")
        assert program.wait() == 0
    assert "42\n" in program.output
    assert f"(True, '{SCRIPT}', 'by the application')\n" in program.output


def test_shell_opens_without_a_router(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/router.sock"
    words = ["shell", "--url", url, "--timeout", "3", "--realm", "shop"]
    with command(*words, HOME=str(tmp_path)) as program:
        program.wait_for("it is tried again while the prompt is open")
        program.write("app.extensions['wamp'].config.realm, g.wampy._owner.default_options.timeout")
        program.write("1 / 0")
        program.write("exit()")
        assert program.wait() == 0
    # What is raised at the prompt is no consequence of anything that the command has tried.
    assert "ZeroDivisionError" in program.output
    assert "During handling" not in program.output
    assert f"not connected to {url}" in program.output
    assert "('shop', 3.0)\n" in program.output


def test_shells_complete_words_as_click_has_it() -> None:
    flask = Path(sys.executable).parent / "flask"

    line = ["flask", "--app", SCRIPT, "wamp", "call", "com.out"]
    env = {
        **os.environ,
        "_FLASK_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    done = subprocess.run(
        [flask], cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert done.stdout.split() == ["plain,com.outside.add", "plain,com.outside.hold"]
