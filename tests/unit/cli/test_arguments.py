"""Arguments as a shell gives them: JSON, key=value, text, files, standard input."""

import io
import json
from pathlib import Path
from typing import Any

import click
import pytest

from flask_wamp.cli.arguments import PROCEDURE, WithArguments, parse_arguments

from ..doubles import refusal

OCTETS = '"\\u0000AP8="'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("3", 3),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ('{"a": [true]}', {"a": [True]}),
        ("tea", "tea"),
        ("green tea", "green tea"),
        ("", ""),
        ("größer", "größer"),
        # What looks like JSON and is none is text.
        ("007", "007"),
        ("[1, 2", "[1, 2"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("True", "True"),
        ("None", "None"),
        # No keyword: a word does not begin so.
        ("https://shop.example/?a=1", "https://shop.example/?a=1"),
        ("=1", "=1"),
        ("1=2", "1=2"),
        ("a b=2", "a b=2"),
        ('"a=1"', "a=1"),
        ('{"a": "b=1"}', {"a": "b=1"}),
        ("[" * 100 + "]" * 100, json.loads("[" * 100 + "]" * 100)),
        (json.dumps("[" * 200), "[" * 200),
        (json.dumps('"[' * 200), '"[' * 200),
        ("@", "@"),
        (OCTETS, b"\x00\xff"),
        (f'[{{"a": {OCTETS}}}]', [{"a": b"\x00\xff"}]),
        # No base64: it cannot travel, and g.wampy says so.
        ('"\\u0000-"', "\0-"),
    ],
)
def test_arguments_positional(given: str, expected: Any) -> None:
    args, kwargs = parse_arguments([given])
    assert (args, kwargs) == ([expected], {})
    assert type(args[0]) is type(expected)


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ("a=1", "a", 1),
        ("a=tea", "a", "tea"),
        ("a=", "a", ""),
        ("a=b=c", "a", "b=c"),
        ('a="1"', "a", "1"),
        ('a={"b": 1}', "a", {"b": 1}),
        ("first_name=Ann", "first_name", "Ann"),
        ("first-name=Ann", "first-name", "Ann"),
        ("größe=3", "größe", 3),
        ("a=two\nlines", "a", "two\nlines"),
        (f"a={OCTETS}", "a", b"\x00\xff"),
    ],
)
def test_arguments_by_keyword(given: str, key: str, value: Any) -> None:
    assert parse_arguments([given]) == ([], {key: value})


def test_arguments_keep_their_order() -> None:
    assert parse_arguments(["b=1", "x", "a=2", "3"]) == (["x", 3], {"b": 1, "a": 2})


def test_arguments_from_files_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"article": "tea"}', encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 2]\n"))
    args, kwargs = parse_arguments([f"@{file}", f"again=@{file}", "-"])
    assert args == [{"article": "tea"}, [1, 2]]
    assert kwargs == {"again": {"article": "tea"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a=1", "a=2"], "'a' is given twice"),
        (["-", "a=-"], "one of the arguments only"),
        (["@missing.json"], "No such file or directory. Write '\"@missing.json\"' for the text"),
        (["@text.txt"], "@text.txt is no JSON"),
        (["@octets"], "@octets is no JSON"),
        (["@."], "Is a directory"),
        (["[" * 100_000], "nested over 100 deep"),
        (['{"a":' * 101 + "1" + "}" * 101], "nested over 100 deep"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    given: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("tea", encoding="utf-8")
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("1"))
    assert said in refusal(click.UsageError, parse_arguments, given)


def test_arguments_standard_input_that_is_no_json_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("tea"))
    assert "standard input is no JSON" in refusal(click.UsageError, parse_arguments, ["-"])


# --- what looks like an option


@click.command(cls=WithArguments)
@click.argument("uri", type=PROCEDURE)
@click.argument("args", nargs=-1)
@click.option("--timeout", type=float)
@click.option("--json", is_flag=True)
def command(**given: Any) -> dict[str, Any]:
    """Return what was given."""
    return given


def given(*words: str) -> dict[str, Any]:
    """Return what the command gets."""
    found: dict[str, Any] = command.main(list(words), standalone_mode=False)
    return found


@pytest.mark.parametrize(
    ("words", "args", "options"),
    [
        (["com.x", "-1", "--json", "-2.5"], ("-1", "-2.5"), {"json": True}),
        (["com.x", "-.5", "-1e3", "-"], ("-.5", "-1e3", "-"), {}),
        (["--timeout", "2", "com.x", "1"], ("1",), {"timeout": 2.0}),
        (["com.x", "--", "--json", "-x"], ("--json", "-x"), {}),
        (["--json", "--", "com.x", "--", "-x"], ("--", "-x"), {"json": True}),
        (["com.x", "1", "--"], ("1",), {}),
    ],
)
def test_negative_numbers_are_arguments(
    words: list[str], args: tuple[str, ...], options: dict[str, Any]
) -> None:
    expected = {"uri": "com.x", "args": args, "timeout": None, "json": False, **options}
    assert given(*words) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["com.x", "--timout", "5"], "--timeout"),
        (["com.x", "--jsn=1"], "--json"),
        (["-x", "com.x"], "-x"),
        (["com.x", "-x", "--", "-y"], "-x"),
        (["--jsn", "com.x"], "--json"),
    ],
)
def test_options_that_there_are_not_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(click.NoSuchOption) as caught:
        given(*words)
    assert said in caught.value.format_message()


@pytest.mark.parametrize("uri", ["", "com..x", "com.x ", "com.x#", "x" * 256])
def test_uris_are_checked(uri: str) -> None:
    assert "is not a URI" in refusal(click.BadParameter, given, uri)
