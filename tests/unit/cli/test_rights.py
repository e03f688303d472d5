"""``flask wamp rights``: who may do what, and where it is written."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.cli import ScriptInfo

from flask_wamp import WAMP
from flask_wamp.cli.group import wamp as group


def rights(app: Flask, *arguments: str) -> Result:
    """Run the command."""
    info = ScriptInfo(create_app=lambda: app)
    return app.test_cli_runner().invoke(group, ["rights", *arguments], obj=info)


def line_of(function: Callable[..., Any]) -> int:
    """Return the line that *function* begins at."""
    return inspect.getsourcelines(function)[1]


def is_owner(_access: Any) -> bool:
    """Let somebody in."""
    return True


def test_rights_are_listed_with_their_place(
    app: Flask, wamp: WAMP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    wamp.callee("com.shop.price", allow=["user", "admin"])(line_of)
    wamp.callee("com.shop.wipe")(line_of)
    wamp.callee("com.shop.order.", match="prefix", allow=is_owner)(line_of)
    wamp.consume("com.shop.heard")(line_of)
    wamp.topic("com.shop.sold", publish="admin", subscribe="everyone", retain=True)
    statement = line_of(test_rights_are_listed_with_their_place) + 8
    here = f"test_rights.py:{line_of(line_of)}"
    assert rights(app).stdout.splitlines() == [
        (
            f"com.shop.order.\tprocedure\tprefix\tcall: whom {__name__}.is_owner lets\t"
            f"{__name__}.line_of {here}"
        ),
        f"com.shop.price\tprocedure\texact\tcall: admin, user\t{__name__}.line_of {here}",
        f"com.shop.wipe\tprocedure\texact\tcall: nobody\t{__name__}.line_of {here}",
        (
            "com.shop.sold\ttopic\texact\tpublish: admin; subscribe: everyone; "
            f"retain: who may publish\t{__name__} test_rights.py:{statement}"
        ),
    ]


def test_rights_as_json(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop.price", allow=is_owner)(line_of)
    wamp.topic("com.shop.sold", subscribe=["user", "admin"])
    price, sold = json.loads(rights(app, "--json").stdout)
    assert price == {
        "uri": "com.shop.price",
        "kind": "procedure",
        "match": "exact",
        "may": {"call": {"roles": [], "function": f"{__name__}.is_owner"}},
        "retain": False,
        "place": f"{__name__}.line_of",
        "file": __file__,
        "line": line_of(line_of),
    }
    assert sold["may"] == {
        "publish": {"roles": [], "function": None},
        "subscribe": {"roles": ["admin", "user"], "function": None},
    }


def test_rights_of_nothing_say_so(app: Flask, wamp: WAMP) -> None:
    result = rights(app)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "allow=" in result.stderr
    assert json.loads(rights(app, "--json").stdout) == []
