"""``flask wamp outbox``, with a database of SQLite's."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask, g
from flask.cli import ScriptInfo

from flask_wamp import WAMP
from flask_wamp.cli.group import wamp as commands
from flask_wamp.durable.databases import SqliteDatabase
from flask_wamp.durable.store import Store


class Commands:
    """Runs commands for an application whose database is a file."""

    def __init__(self, app: Flask, path: Path) -> None:
        self.app = app
        self.path = path

    def __call__(self, *arguments: str) -> Result:
        """Run ``flask wamp outbox``."""
        info = ScriptInfo(create_app=lambda: self.app)
        return CliRunner().invoke(commands, ["outbox", *arguments], obj=info)

    def publish(self, *topics: str) -> None:
        """Commit an event of each topic."""
        with self.app.app_context():
            for topic in topics:
                g.wampy.publish(topic, durable=True)
            self.app.extensions["db"].commit()

    def set_aside(self, topic: str, reason: str) -> None:
        """Let the router have refused an event."""
        with closing(SqliteDatabase(str(self.path))) as database:
            store = Store(database)
            (row,) = (row for row in store.waiting(100, 2**20) if row.topic == topic)
            store.refuse(row, 5, reason)


@pytest.fixture
def outbox(app: Flask, wamp: WAMP, tmp_path: Path) -> Iterator[Commands]:
    """Give the commands."""
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as db:
        app.extensions["db"] = db
        wamp.outbox(lambda: db)
        yield Commands(app, path)


def test_outbox_is_created_once(outbox: Commands) -> None:
    for _ in range(2):
        result = outbox("create")
        assert result.exit_code == 0
        assert result.output == f"the outbox is in {outbox.path}\n"
    assert outbox("list").stderr == "0 waiting\n"


def test_outbox_that_is_not_there_says_what_to_do(outbox: Commands) -> None:
    result = outbox("list")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: there is no outbox yet: create it with flask wamp outbox create\n"
    )


def test_outbox_lists_what_was_set_aside(outbox: Commands) -> None:
    outbox.publish("com.shop.a", "com.shop.b", "com.shop.c")
    outbox.set_aside("com.shop.b", "wamp.error.not_authorized: \x1b[31mno")
    result = outbox("list")
    assert result.stderr.startswith("2 waiting, the oldest for ")
    number, event, topic, _written, reason = result.stdout.rstrip("\n").split("\t")
    assert (number, topic) == ("2", "com.shop.b")
    assert reason == "wamp.error.not_authorized: \\x1b[31mno"
    told = json.loads(outbox("list", "--json").stdout)
    assert (told["id"], told["event"], told["attempts"]) == (2, event, 5)


@pytest.mark.parametrize("arguments", [["2"], ["--all"]])
@pytest.mark.parametrize(
    ("command", "done", "left"),
    [("retry", "1 event to be sent again", 2), ("discard", "1 event deleted", 1)],
)
def test_outbox_changes_what_was_set_aside(
    outbox: Commands, command: str, done: str, left: int, arguments: list[str]
) -> None:
    outbox.publish("com.shop.a", "com.shop.b")
    outbox.set_aside("com.shop.b", "no")
    assert outbox(command, *arguments).output == f"{done}\n"
    result = outbox("list")
    assert result.stdout == ""
    assert result.stderr.startswith(f"{left} waiting")


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize("arguments", [[], ["2", "--all"]])
def test_outbox_has_to_be_told_which(outbox: Commands, command: str, arguments: list[str]) -> None:
    result = outbox(command, *arguments)
    assert result.exit_code == 2
    assert "say --all" in result.stderr


@pytest.mark.parametrize("command", ["retry", "discard"])
def test_outbox_leaves_events_that_wait(outbox: Commands, command: str) -> None:
    outbox.publish("com.shop.a")
    result = outbox(command, "1")
    assert result.exit_code == 1
    assert "none that were set aside" in result.stderr
    assert outbox("list").stderr.startswith("1 waiting")


def test_outbox_of_an_application_without_says_what_to_do(app: Flask, wamp: WAMP) -> None:
    result = CliRunner().invoke(
        commands, ["outbox", "create"], obj=ScriptInfo(create_app=lambda: app)
    )
    assert result.exit_code == 1
    assert "put @wamp.outbox on the function" in result.stderr
