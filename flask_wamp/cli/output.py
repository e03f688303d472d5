"""What commands print: JSON and tables, coloured on a terminal and plain in a pipe.

A table and colours are little code on top of click, which Flask brings; rich would be one more
dependency of every application for them.
"""

import base64
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..declare.place import Place
from ..results import CallResult

F = TypeVar("F", bound=Callable[..., Any])

_UNSHOWN = re.compile(r"[^\x20-\x7e\n]")
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|(true|false|null)')


def help_of(*parts: str) -> str:
    """Return the text of ``--help``, whose parts are indented as their code is."""
    return "\n\n".join(map(inspect.cleandoc, parts))


def json_option(what: str) -> Callable[[F], F]:
    """Return the option ``--json``, which asks for *what*."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}, for scripts.")


def is_terminal() -> bool:
    """Tell whether a person reads what is printed."""
    return sys.stdout.isatty()


def printable(text: str) -> str:
    """Return *text* with escapes in place of what a terminal would obey."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def to_json(value: Any, *, pretty: bool = False) -> str:
    """Return *value* as JSON, in one line unless it is to be *pretty*.

    Bytes are a text that begins with NUL and goes on in base64, as WAMP has them in JSON (spec,
    6.2); a result of several values is ``{"args": [...], "kwargs": {...}}``, as over HTTP.
    """
    is_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    text = json.dumps(
        _several(value), ensure_ascii=not is_unicode, indent=2 if pretty else None, default=_other
    )
    return _UNSHOWN.sub(_escaped, text)


def show(value: Any, *, as_json: bool) -> None:
    """Print *value*, over several lines and in colour where a person reads it."""
    if is_terminal() and not as_json:
        click.echo(colored(to_json(value, pretty=True)))
    else:
        click.echo(to_json(value))


def show_line(value: Any, *, as_json: bool) -> None:
    """Print *value* in one line, in colour where a person reads it."""
    text = to_json(value)
    click.echo(colored(text) if is_terminal() and not as_json else text)


def colored(text: str) -> str:
    """Return JSON in colours."""
    return _TOKEN.sub(_painted, text)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows*: on a terminal in columns under *headers*, else with tabs between the fields."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if not is_terminal():
        for row in shown:
            click.echo("\t".join(row))
        return
    widths = [max(map(len, column)) for column in zip(headers, *shown, strict=True)]
    click.echo(click.style(_columns(headers, widths), bold=True))
    for row in shown:
        first, *others = row
        padded = _columns(["", *others], widths)[widths[0] :]
        click.echo(click.style(first.ljust(widths[0]), fg="cyan") + padded)


def shown_place(place: Place) -> str:
    """Return a place for people, whose file is named from here where it is below this directory."""
    if place.file is None:
        return place.name
    here = f"{Path.cwd()}{os.sep}"
    return f"{place.name} {place.file.removeprefix(here)}:{place.line}"


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(cell.ljust(width) for cell, width in pairs).rstrip()


def _several(value: Any) -> Any:
    if isinstance(value, CallResult):
        return {"args": list(value.args), "kwargs": value.kwargs}
    return value


def _other(value: Any) -> Any:
    """Return what JSON has in place of a *value* that it does not have."""
    if isinstance(value, bytes):
        return "\0" + base64.b64encode(value).decode()
    return str(value)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _painted(found: re.Match[str]) -> str:
    text, colon, number, word = found.groups()
    if text is not None:
        return click.style(text, fg="blue" if colon else "green") + (colon or "")
    if number is not None:
        return click.style(number, fg="cyan")
    return click.style(word, fg="magenta")
