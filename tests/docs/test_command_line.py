"""The blocks of the how-to about ``flask wamp``, as they are typed, beside the shop's node."""

import doctest
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from flask_wamp.cli import output
from flask_wamp.cli.group import wamp as group
from flask_wamp.node import CrossbarNode
from tests.node.support import Peer, connected

from .conftest import TEXTS

pytestmark = [pytest.mark.node, pytest.mark.slow]

Typed = Callable[[str], str]

#: Seconds that a block's processes may take, each of which imports the whole shop.
TIMEOUT = 60.0


def commands(name: str) -> list[tuple[str, str]]:
    """Return the commands of a block, each with what it prints."""
    parts = f"\n{TEXTS[name]}".split("\n$ ")[1:]
    return [(command, said) for command, _, said in (part.partition("\n") for part in parts)]


def same(expected: str, said: str) -> bool:
    """Tell whether *said* is what a block shows, in which `...` is anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected.strip() + "\n", said, flags)


@pytest.fixture
def typed(
    shell: Flask, node: CrossbarNode, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Typed:
    """Return what prints as a command does on a terminal, beside the shop's node."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    runner = shell.test_cli_runner()

    def typed(command: str) -> str:
        words = shlex.split(command.replace("ws://127.0.0.1:8080/ws", node.ws_url))
        if words[0] == "echo":
            subprocess.run(["bash", "-c", command], check=True)
            return ""
        assert words[:2] == ["flask", "wamp"]
        if "|" not in words:
            return runner.invoke(group, words[2:], prog_name="flask wamp").output
        with monkeypatch.context() as piped:
            piped.setattr(output, "is_terminal", lambda: False)
            said = runner.invoke(group, words[2 : words.index("|")]).output
        filters = command.partition("|")[2]
        return subprocess.run(
            ["bash", "-c", filters], input=said, capture_output=True, text=True, check=True
        ).stdout

    return typed


@pytest.fixture
def environment(node: CrossbarNode) -> dict[str, str]:
    """Return the environment of the page's shell: that of its first block."""
    ((command, said),) = commands("setup")
    settings = dict(word.split("=", 1) for word in shlex.split(command)[1:])
    assert said == ""
    assert settings == {"FLASK_APP": "shop.app", "FLASK_WAMP_URL": "unix:.crossbar/router.sock"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **settings}


@pytest.mark.parametrize("name", ["call", "several", "arguments", "stream", "denied", "routes"])
def test_commands_print_what_the_page_shows(typed: Typed, name: str) -> None:
    for command, expected in commands(name):
        said = typed(command)
        assert same(expected, said), said


def test_sessions_are_those_that_are_there(typed: Typed, node: CrossbarNode) -> None:
    ((command, expected),) = commands("sessions")
    with connected(node.ws_url):
        said = typed(command)
    # They come in the order of their random ids, so the one that is shown may be the last.
    assert same(expected, f"{said}\n..."), said


def test_subscribe_prints_what_publish_sends(
    typed: Typed, project: Path, environment: dict[str, str]
) -> None:
    ((command, expected),) = commands("subscribe")
    ((publish, example),) = commands("publish")
    with subprocess.Popen(
        [*shlex.split(command), "--count", "1"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            said = program.stdout.readline()
            publication = typed(publish)
            said += program.communicate(timeout=TIMEOUT)[0]
        finally:
            program.kill()
    assert same(expected, said), said
    assert publication.strip().isdigit()
    assert example.strip().isdigit()


def test_prompt_answers_what_the_page_shows(project: Path, environment: dict[str, str]) -> None:
    ((command, text),) = commands("shell")
    lines = text.splitlines()
    done = subprocess.run(
        shlex.split(command),
        cwd=project,
        env=environment,
        input="".join(line.removeprefix(">>> ") + "\n" for line in lines if line.startswith(">>>")),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert lines[0] in done.stderr
    # Without a terminal the prompts are on standard output, before what is printed.
    said = [line.replace(">>> ", "") for line in done.stdout.splitlines()]
    assert [line for line in said if line] == [line for line in lines[1:] if line[:3] != ">>>"]


def test_script_orders_what_is_missing(
    project: Path, environment: dict[str, str], peer: Peer
) -> None:
    events = peer.subscribe("com.shop.reorder")
    done = subprocess.run(
        ["bash", "-c", TEXTS["restock.sh"]],
        cwd=project, env=environment, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    event = events.get()
    assert (event.args, event.kwargs) == (("tea",), {"count": 3})


def test_completion_is_there_after_the_line_for_bash(
    project: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        ["bash", "-c", TEXTS["completion"] + "complete -p flask"],
        cwd=project, env=environment, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "flask_completion" in done.stdout
