"""The database, one connection for each request."""

import sqlite3

import click
from flask import Flask, current_app, g


def get_db() -> sqlite3.Connection:
    """Return the connection of the current context."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
    found: sqlite3.Connection = g.db
    return found


def close_db(_error: BaseException | None = None) -> None:
    """End the connection of the current context."""
    db = g.pop("db", None)
    if db is not None:
        db.close()


@click.command("init-db")
def init_db_command() -> None:
    """Make the tables anew."""
    with current_app.open_resource("schema.sql", "rt") as schema:
        get_db().executescript(schema.read())
    click.echo("Initialized the database.")


def init_app(app: Flask) -> None:
    """Let an application have the database, and its command."""
    app.teardown_appcontext(close_db)
    app.cli.add_command(init_db_command)
