"""What is printed, to a pipe and to a terminal."""

import io
import json
from typing import Any

import click
import pytest

from flask_wamp import CallResult
from flask_wamp.cli.output import colored, printable, show, show_line, table, to_json

from .terminal import terminal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        ("größer ∞ 🌍", '"größer ∞ 🌍"'),
        ([1, 0.5], "[1, 0.5]"),
        ({"a": {"b": []}}, '{"a": {"b": []}}'),
        (b"\x00\xff", '"\\u0000AP8="'),
        ({"a": [b""]}, '{"a": ["\\u0000"]}'),
        (CallResult((1, b"x"), {"a": 2}), '{"args": [1, "\\u0000eA=="], "kwargs": {"a": 2}}'),
    ],
)
def test_json_in_a_pipe_is_one_line(
    value: Any, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(value, as_json=False)
    show(value, as_json=True)
    show_line(value, as_json=False)
    assert capsys.readouterr().out == f"{expected}\n" * 3


def test_json_on_a_terminal_is_coloured_over_several_lines() -> None:
    value = {"name": 'a "b" : 1', "list": [1, -2.5e3, True, None]}
    with terminal() as printed:
        show(value, as_json=False)
        text = printed()
        show(value, as_json=True)
        plain = printed()
        show_line(value, as_json=False)
        line = printed()
    assert "\x1b[" in text
    assert click.unstyle(text) == json.dumps(value, indent=2) + "\n"
    assert plain == json.dumps(value) + "\n"
    assert "\x1b[" in line
    assert click.unstyle(line) == plain


def test_colours_tell_keys_strings_numbers_and_words_apart() -> None:
    text = colored('{"a": "1: true", "b": [1.5, null]}')
    for colour, words in {"blue": ['"a"', '"b"'], "green": ['"1: true"'], "cyan": ["1.5"]}.items():
        for word in words:
            assert click.style(word, fg=colour) in text
    assert click.style("null", fg="magenta") in text


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\u202egnp.exe", "\u2028", "\x00", "\x7f"])
def test_what_a_terminal_would_obey_is_escaped(text: str) -> None:
    """A peer's text, or its key, must not move the cursor or reverse what is read."""
    shown = to_json({text: text})
    assert shown.isprintable()
    assert json.loads(shown) == {text: text}
    assert printable(f"a{text}").isprintable()


def test_what_the_output_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert to_json("größer 🌍") == '"gr\\u00f6\\u00dfer \\ud83c\\udf0d"'
    assert printable("größer") == "gr\\xf6\\xdfer"


ROWS = [["com.shop.price", "procedure", ""], ["com.x\ty", "topic", "last"]]


def test_table_in_a_pipe_has_tabs_and_no_headers(capsys: pytest.CaptureFixture[str]) -> None:
    table(("URI", "Kind", "More"), ROWS)
    assert capsys.readouterr().out == "com.shop.price\tprocedure\t\ncom.x\\ty\ttopic\tlast\n"


def test_table_on_a_terminal_has_columns_under_headers() -> None:
    with terminal() as printed:
        table(("URI", "Kind", "More"), ROWS)
        text = printed()
        table(("URI", "Kind"), [])
        empty = printed()
    assert "\x1b[" in text
    assert click.unstyle(text).splitlines() == [
        "URI             Kind       More",
        "com.shop.price  procedure",
        "com.x\\ty        topic      last",
    ]
    assert click.unstyle(empty) == "URI  Kind\n"
