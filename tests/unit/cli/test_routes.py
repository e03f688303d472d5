"""``flask wamp routes``: what an application declares, without a node."""

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Blueprint, Flask

from flask_wamp import WAMP
from flask_wamp.cli.group import wamp as group

CONFIG = Path(__file__).parents[3] / "crossbar_config" / "single_node.json"


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap *function*, as a guard does."""

    @functools.wraps(function)
    def guard(*args: Any) -> Any:
        return function(*args)

    return guard


def line_of(function: Callable[..., Any]) -> int:
    """Return where *function* begins, its decorators included."""
    return int(function.__code__.co_firstlineno)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a directory that has no node."""
    monkeypatch.chdir(tmp_path)


def routes(app: Flask, *words: str) -> Result:
    """Run the command."""
    return app.test_cli_runner().invoke(group, ["routes", *words])


def listed(app: Flask, *words: str) -> list[dict[str, Any]]:
    """Return what the command lists."""
    result = routes(app, "--json", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_routes_tell_all_of_a_declaration(app: Flask) -> None:
    app.config["WAMP_URI_PREFIX"] = "com.shop"
    wamp = WAMP(app)
    blueprint = Blueprint("orders", __name__, url_prefix="/orders")

    @blueprint.get("/<int:number>")
    @blueprint.post("/")
    @wamp.callee(invoke="roundrobin")
    @guarded
    def order(number: int = 0) -> str:
        return ""

    @wamp.callee("com.shop..stock", match="wildcard", allow="user")
    def stock() -> int:
        return 7

    @wamp.subscribe("com.shop.sold.", match="prefix")
    def sold() -> None:
        return None

    app.register_blueprint(blueprint)
    here = f"{__name__}.test_routes_tell_all_of_a_declaration.<locals>"
    inner = inspect.unwrap(order)
    assert listed(app) == [
        {
            "kind": "procedure",
            "uri": "com.shop..stock",
            "match": "wildcard",
            "invoke": "single",
            "http": [],
            "may": {"call": ["user"]},
            "function": f"{here}.stock",
            "file": __file__,
            "line": line_of(stock),
        },
        {
            "kind": "procedure",
            "uri": "com.shop.order",
            "match": "exact",
            "invoke": "roundrobin",
            "http": ["POST /orders/", "GET /orders/<int:number>"],
            "may": {"call": []},
            "function": f"{here}.order",
            "file": __file__,
            "line": line_of(inner),
        },
        {
            "kind": "topic",
            "uri": "com.shop.sold.",
            "match": "prefix",
            "invoke": None,
            "http": [],
            "may": {"publish": [], "subscribe": []},
            "function": f"{here}.sold",
            "file": __file__,
            "line": line_of(sold),
        },
    ]


def is_owner(_access: Any) -> bool:
    """Let somebody in."""
    return True


def test_routes_tell_who_may(app: Flask, wamp: WAMP) -> None:
    """The application says it of browsers, and the configuration of services."""
    wamp.callee("com.example.polls.close", allow=is_owner)(lambda: None)
    wamp.callee("com.example.polls.count")(lambda: None)
    wamp.callee("com.example.polls.vote", allow=["anonymous", "clerk"])(lambda: None)
    wamp.subscribe("com.example.polls.voted")(lambda: None)
    wamp.topic("com.example.polls.voted", subscribe="everyone")
    wamp.subscribe("wamp.session.on_join")(lambda _: None)
    rights = [each["may"] for each in listed(app, "--config", str(CONFIG))]
    assert rights == [
        {"call": ["backend", f"whom {__name__}.is_owner lets"]},
        {"call": ["backend"]},
        {"call": ["anonymous", "backend", "clerk"]},
        {"publish": ["backend"], "subscribe": ["anonymous", "backend", "clerk", "user"]},
        {"publish": ["backend"], "subscribe": ["backend"]},
    ]
    # The node of the directory is found by itself.
    Path(".crossbar").mkdir()
    Path(".crossbar/config.json").write_text(CONFIG.read_text())
    assert [each["may"] for each in listed(app)] == rights


def test_routes_in_a_pipe_are_lines_with_tabs(app: Flask, wamp: WAMP) -> None:
    app.get("/add")(wamp.callee("com.shop.add", allow="anonymous")(guarded(line_of)))
    result = routes(app, "--config", str(CONFIG))
    assert result.stdout == (
        "com.shop.add\tprocedure\texact\tsingle\tGET /add\tcall: anonymous, backend\t"
        f"{__name__}.line_of {__file__}:{line_of(line_of)}\n"
    )


def test_routes_tell_in_few_words_who_may(app: Flask, wamp: WAMP) -> None:
    for topic in ("com.shop.sold", "com.example.polls.voted", "wamp.session.on_join"):
        wamp.subscribe(topic)(line_of)
    wamp.topic("com.shop.sold", publish="user", subscribe="user")
    wamp.topic("com.example.polls.voted", subscribe="everyone")
    Path("nobody.json").write_text('{"workers": []}')
    found = [
        [line.split("\t")[5] for line in routes(app, "--config", name).stdout.splitlines()]
        for name in (str(CONFIG), "nobody.json")
    ]
    assert found == [
        [
            "publish: backend; subscribe: anonymous, backend, user",
            "publish, subscribe: backend, user",
            "publish, subscribe: backend",
        ],
        [
            "publish: nobody; subscribe: user",
            "publish, subscribe: user",
            "publish, subscribe: nobody",
        ],
    ]


def test_routes_name_files_from_here(
    app: Flask, wamp: WAMP, monkeypatch: pytest.MonkeyPatch
) -> None:
    wamp.callee("com.shop.add")(line_of)
    wamp.callee("com.shop.print")(print)
    monkeypatch.chdir(Path(__file__).parent)
    lines = [line.split("\t")[-1] for line in routes(app).stdout.splitlines()]
    assert lines == [f"{__name__}.line_of test_routes.py:{line_of(line_of)}", "builtins.print"]


def test_routes_of_nothing_say_so(app: Flask, wamp: WAMP) -> None:
    assert listed(app) == []
    result = routes(app)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "@wamp.callee" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no node configuration: Expecting property name"),
        ("[]", "is no node configuration"),
        ('{"workers": ["router"]}', "is no node configuration"),
        ('{"workers": 3}', "is no node configuration"),
    ],
)
def test_routes_say_that_a_configuration_is_none(
    app: Flask, wamp: WAMP, content: str, said: str
) -> None:
    Path("node.json").write_text(content)
    result = routes(app, "--config", "node.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: node.json {said}")
    assert result.stderr.count("\n") == 1


def test_routes_say_that_there_is_no_extension() -> None:
    result = routes(Flask("bare"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: the Flask application 'bare' has no WAMP extension: call wamp.init_app(app)\n"
    )
