"""The group ``flask wamp``: how its commands fail, what they colour, what shells complete."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import Result
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from flask.cli import cli as flask_cli

from flask_wamp import (
    WAMP,
    CallTimeout,
    ConfigError,
    NotConnected,
    OptionError,
    PayloadError,
    RemoteError,
)
from flask_wamp.cli.failures import failure_of, with_remedy
from flask_wamp.cli.group import wamp as group

from ..doubles import run_program
from .terminal import terminal

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (NotConnected("not connected to x"), 3, "not connected to x"),
        (CallTimeout("no answer"), 4, "no answer"),
        (OptionError("give a number"), 2, "give a number"),
        (PayloadError("a set cannot travel"), 2, "a set cannot travel"),
        (ConfigError("WAMP_URL = 3"), 1, "WAMP_URL = 3"),
        (RemoteError("com.x", ["a", 1], {"b": 2}), 1, "com.x: a, 1, b=2"),
        (RemoteError("com.x", ["a\n\tb\x1b[2J"]), 1, "com.x: a b\\x1b[2J"),
        (ValueError("what\nwent wrong"), 1, "ValueError: what went wrong"),
        (KeyError("x"), 1, "KeyError: 'x'"),
        (RuntimeError(), 1, "RuntimeError"),
        (click.UsageError("no such thing"), 2, "no such thing"),
        (click.FileError("x", "not there"), 1, "Could not open file 'x': not there"),
    ],
)
def test_failures_are_one_line_with_a_code(error: Exception, code: int, text: str) -> None:
    failure = failure_of(error)
    assert (failure.exit_code, failure.format_message()) == (code, text)


def test_failures_of_imports_are_one_line() -> None:
    """Flask puts the whole traceback into its text."""
    error = NoAppException(
        "While importing 'shop', an ImportError was raised:\n\nTraceback (most recent call last):\n"
        "  File \"shop.py\", line 1\nModuleNotFoundError: No module named 'x'\n"
    )
    assert failure_of(error).format_message() == (
        "While importing 'shop', an ImportError was raised: ModuleNotFoundError: No module named 'x'"
    )


def test_failures_say_what_to_do() -> None:
    assert with_remedy(NotConnected("refused."), "start it") == "refused; start it"
    assert with_remedy(NotConnected("refused."), "") == "refused."


def test_app_that_fails_to_import_is_one_line(app: Flask) -> None:
    def fail() -> Flask:
        raise SyntaxError("invalid\nsyntax")

    result = app.test_cli_runner().invoke(group, ["routes"], obj=ScriptInfo(create_app=fail))
    assert (result.exit_code, result.output) == (1, "Error: SyntaxError: invalid syntax\n")
    result = app.test_cli_runner().invoke(
        group, ["--traceback", "routes"], obj=ScriptInfo(create_app=fail)
    )
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith("\nError: SyntaxError: invalid syntax\n")


@pytest.mark.parametrize("command", ["call", "publish", "routes", "sessions", "shell", "subscribe"])
def test_help_teaches(app: Flask, command: str) -> None:
    """Every command shows how it is typed, and those that connect what they end with."""
    result = app.test_cli_runner().invoke(group, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.count(f"wamp {command}") >= 2 or command == "shell"
    assert ("Exit codes: 0" in result.output) == (command not in ("routes", "shell"))
    assert all(len(line) <= 80 for line in result.output.splitlines())
    assert command in app.test_cli_runner().invoke(group, ["--help"]).output


@pytest.mark.parametrize(("no_color", "is_coloured"), [(None, True), ("", True), ("1", False)])
def test_colours_are_for_terminals_and_left_out_where_the_user_says_so(
    app: Flask,
    wamp: WAMP,
    monkeypatch: pytest.MonkeyPatch,
    no_color: str | None,
    is_coloured: bool,
) -> None:
    wamp.callee("com.shop.add")(len)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    with terminal() as printed:
        group.main(["routes"], obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)
        text = printed()
    assert "com.shop.add" in text
    assert ("\x1b[" in text) == is_coloured


def test_commands_load_no_reactor() -> None:
    """Every `flask` command imports them."""
    printed = run_program(
        """
        import sys
        from flask.cli import cli
        cli.main(["wamp", "--help"], prog_name="flask", standalone_mode=False)
        heavy = {"twisted", "autobahn", "txaio", "zope", "crossbar", "asyncio", "pydantic", "IPython"}
        print(sorted({name.partition(".")[0] for name in sys.modules} & heavy))
        """
    )
    assert printed.startswith("Usage: flask wamp ")
    assert printed.splitlines()[-1] == "[]"


# --- completion


def completed(app: Callable[[], Flask], *words: str) -> list[str]:
    """Return what a shell offers in place of the last of *words*."""
    *before, last = words
    shell = ShellComplete(
        flask_cli, {"obj": ScriptInfo(create_app=app)}, "flask", "_FLASK_COMPLETE"
    )
    return [item.value for item in shell.get_completions(["wamp", *before], last)]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["call", ""], ["com.shop.add", "com.shop.files.", "com.shop.price"]),
        (["call", "com.shop.p"], ["com.shop.price"]),
        (["call", "org."], []),
        (["call", "com.shop.price", ""], []),
        (["call", "--json", "com.shop.a"], ["com.shop.add"]),
        (["publish", ""], ["com.shop.returned", "com.shop.sold"]),
        (["subscribe", "com."], ["com.shop.returned", "com.shop.sold"]),
        (["call", "--str"], ["--stream"]),
        (["subscribe", "--match", "p"], ["prefix"]),
        (["sess"], ["sessions"]),
    ],
)
def test_completion_offers_what_the_application_declares(
    app: Flask, words: list[str], offered: list[str]
) -> None:
    app.config["WAMP_URI_PREFIX"] = "com.shop"
    wamp = WAMP(app)
    wamp.callee("com.shop.price")(len)
    wamp.callee("com.shop.files.", match="prefix")(len)
    wamp.callee("com.shop..stock", match="wildcard")(len)

    @wamp.callee
    def add() -> None:
        return None

    wamp.topic("com.shop.returned", subscribe="everyone")
    wamp.subscribe("com.shop.sold")(add)
    wamp.subscribe("com.shop.sold")(len)
    assert completed(lambda: app, *words) == offered


@pytest.mark.parametrize("name", ["deploy", "outbox"])
def test_group_without_a_command_shows_its_help(app: Flask, name: str) -> None:
    result = app.test_cli_runner().invoke(group, [name])
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert "\nCommands:\n" in result.stderr


def test_completion_keeps_quiet_where_there_is_nothing(tmp_path: Path) -> None:
    def fail() -> Any:
        raise RuntimeError("the application fails to import")

    assert completed(fail, "call", "") == []
    assert completed(lambda: Flask("bare"), "call", "") == []
