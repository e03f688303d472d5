"""``flask wamp init``, run in a directory of somebody's; what it writes is started elsewhere."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

from flask_wamp.cli import init as module

APP = """
from flask import Flask
from flask_wamp import WAMP

app = Flask(__name__)
wamp = WAMP(app)

@wamp.callee("com.shop.price")
def price():
    return 3
"""
FACTORY = """
from flask import Flask
from flask_wamp import WAMP

wamp = WAMP()

@wamp.callee("com.shop.orders.last")
def last():
    return 1

@wamp.consume("com.shop.sold")
def sold():
    pass

def create_app(name="shop"):
    app = Flask(name)
    wamp.init_app(app)
    return app
"""
CONFIG = Path(".crossbar/config.json")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the current directory; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


def run(*arguments: str, answers: str | None = None) -> Result:
    """Run ``flask`` with *arguments*; with *answers*, which end in a newline each, on a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "is_terminal", lambda: answers is not None)
        patch.setenv("FLASK_RUN_FROM_CLI", "true")
        return CliRunner().invoke(FlaskGroup(), [*arguments], input=answers)


def init(*arguments: str, app: str = "", answers: str | None = None) -> dict[str, Any]:
    """Run ``flask wamp init``, and return what it has written."""
    before = ["--app", app] if app else []
    done = run(*before, "wamp", "init", *arguments, answers=answers)
    assert done.exit_code == 0, done.output
    written: dict[str, Any] = json.loads(CONFIG.read_text())
    return written


def refused(*arguments: str, answers: str | None = None) -> str:
    """Run ``flask wamp init``, which refuses with one line, and return that."""
    done = run(*arguments, answers=answers)
    assert done.exit_code in (1, 2)
    assert done.output.splitlines()[-1].startswith("Error: ")
    return done.output.splitlines()[-1]


def places(config: dict[str, Any]) -> tuple[str, str, str]:
    """Return the application as the WSGI path and the two components name it."""
    router, views = config["workers"]
    wsgi = router["transports"][0]["paths"]["/"]
    component = router["components"][0]
    assert component["classname"] == "flask_wamp.crossbar.WebSession"
    assert views["components"][0]["classname"] == "flask_wamp.crossbar.ViewsSession"
    return (
        f"{wsgi['module']}:{wsgi['object']}",
        component["extra"]["application"],
        views["components"][0]["extra"]["application"],
    )


def roles(config: dict[str, Any]) -> dict[str, int]:
    """Return how many permissions each role has in the configuration."""
    found = config["workers"][0]["realms"][0]["roles"]
    return {role["name"]: len(role["permissions"]) for role in found}


def test_init_writes_a_node_for_what_flask_finds() -> None:
    Path("app.py").write_text(APP)
    done = run("wamp", "init")
    assert done.exit_code == 0, done.output
    assert done.output.endswith("Start it:\n\n    flask wamp run\n")
    assert "http://127.0.0.1:8080/ is app:app" in done.output
    config = json.loads(CONFIG.read_text())
    assert set(places(config)) == {"app:app"}
    assert [worker["id"] for worker in config["workers"]] == ["router", "views"]
    assert config["workers"][0]["options"]["pythonpath"] == [".."]
    # What browsers may do stands in the application.
    assert roles(config) == {"anonymous": 0, "user": 0, "backend": 1}
    assert "flask wamp rights lists it" in done.output


def test_init_for_production_says_what_it_needs() -> None:
    Path("app.py").write_text(APP)
    done = run("wamp", "init", "--preset", "production", "--host", "Shop.example")
    assert done.exit_code == 0, done.output
    assert "https://shop.example:8443/ is app:app" in done.output
    assert "wss://shop.example:8443/ws" in done.output
    assert "python -m flask_wamp.node.certificate .crossbar --host shop.example" in done.output
    router = json.loads(CONFIG.read_text())["workers"][0]
    assert router["components"][0]["extra"]["hosts"] == ["shop.example"]


@pytest.mark.parametrize("host", ["https://shop.example", "shop.example:443", "*", "-x", ""])
def test_init_refuses_a_host_that_is_none(host: str) -> None:
    Path("app.py").write_text(APP)
    done = run("wamp", "init", f"--host={host}")
    assert done.exit_code == 2
    assert "is no host: write a name" in done.output
    assert not CONFIG.exists()


def test_init_keeps_what_the_node_leaves_out_of_git() -> None:
    Path("app.py").write_text(APP)
    init()
    assert (CONFIG.parent / ".gitignore").read_text().split() == [
        "*",
        "!.gitignore",
        "!config.json",
    ]
    (CONFIG.parent / ".gitignore").write_text("mine")
    init("--force")
    assert (CONFIG.parent / ".gitignore").read_text() == "mine"


def test_init_takes_options() -> None:
    Path("shop.py").write_text(APP.replace("app", "application"))
    config = init(
        "--module", "shop", "--object", "application", "--port", "9000", "--realm", "shop",
    )  # fmt: skip
    assert set(places(config)) == {"shop:application"}
    router, views = config["workers"]
    assert router["transports"][0]["endpoint"]["port"] == 9000
    origins = router["transports"][0]["paths"]["ws"]["options"]["allowed_origins"]
    assert "http://localhost:9000" in origins
    assert not any(origin.endswith(":8080") for origin in origins)
    assert router["realms"][0]["name"] == "shop"
    assert {each["realm"] for each in (router["components"][0], views["components"][0])} == {"shop"}


def test_init_uses_the_realm_of_the_application() -> None:
    Path("app.py").write_text(APP.replace("wamp =", "app.config['WAMP_REALM'] = 'shop'\nwamp ="))
    assert init()["workers"][0]["realms"][0]["name"] == "shop"


@pytest.mark.parametrize("app", ["shop", "shop:application", "shop.py", "lib/shop.py:application"])
def test_init_uses_the_application_that_is_named(app: str) -> None:
    Path("lib").mkdir()
    for path in (Path("shop.py"), Path("lib/shop.py")):
        path.write_text(APP.replace("app", "application"))
    config = init(app=app)
    assert set(places(config)) == {"shop:application"}
    root = "../lib" if app.startswith("lib") else ".."
    assert config["workers"][0]["options"]["pythonpath"] == [root]
    assert config["workers"][1]["options"]["pythonpath"] == [root]


def test_init_in_another_directory(tmp_path: Path) -> None:
    Path("app.py").write_text(APP)
    (tmp_path / "deploy").mkdir()
    done = run("wamp", "init", "--directory", "deploy")
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "deploy" / CONFIG).read_text())
    assert config["workers"][0]["options"]["pythonpath"] == ["../.."]


def test_init_writes_a_module_for_a_factory() -> None:
    Path("shop").mkdir()
    Path("shop/__init__.py").write_text(FACTORY)
    config = init(app="shop")
    assert set(places(config)) == {"wsgi:app"}
    assert Path("wsgi.py").read_text().splitlines()[1:] == [
        "",
        "from shop import create_app",
        "",
        "app = create_app()",
    ]
    # From now on it is what flask finds; and the factory is not asked about again.
    assert set(places(init("--force"))) == {"wsgi:app"}
    assert set(places(init("--force", app="shop"))) == {"wsgi:app"}


def test_init_calls_a_factory_as_it_was_told() -> None:
    Path("shop.py").write_text(FACTORY)
    init(app="shop:create_app('x')")
    assert "app = create_app('x')\n" in Path("wsgi.py").read_text()


def test_init_leaves_a_module_alone_that_is_there() -> None:
    Path("shop.py").write_text(FACTORY)
    Path("wsgi.py").write_text("mine = 1\n")
    said = refused("--app", "shop", "wamp", "init")
    assert "from shop import create_app; app = create_app()" in said
    assert "--module wsgi --object app" in said
    assert Path("wsgi.py").read_text() == "mine = 1\n"
    assert not CONFIG.exists()


def test_init_for_a_guest() -> None:
    Path("app.py").write_text(APP)
    config = init("--preset", "guest", "--realm", "shop")
    guest = config["workers"][1]
    assert guest["type"] == "guest"
    assert guest["arguments"] == [
        "-m", "flask", "--app", "app:app", "wamp", "serve", "--guest", "--url", "unix:router.sock",
        "--processes", "1", "--realm", "shop",
    ]  # fmt: skip
    assert guest["options"]["env"]["vars"] == {"PYTHONPATH": "..", "WAMP_METRICS_DIR": "metrics"}


def test_init_replaces_links_and_leaves_what_they_lead_to_alone() -> None:
    Path("app.py").write_text(APP)
    CONFIG.parent.mkdir()
    Path("elsewhere").write_text("another's")
    CONFIG.symlink_to(Path("elsewhere").resolve())
    ignoring = CONFIG.parent / ".gitignore"
    ignoring.symlink_to(Path("nowhere").resolve())
    assert "--force writes over it" in refused("wamp", "init")
    assert "workers" in init("--force")
    assert not CONFIG.is_symlink()
    assert Path("elsewhere").read_text() == "another's"
    assert ignoring.is_symlink()
    assert not Path("nowhere").exists()


def test_init_leaves_a_link_alone_where_it_would_write_the_application() -> None:
    Path("shop.py").write_text(FACTORY)
    Path("wsgi.py").symlink_to("nowhere")
    assert "is there and is left alone" in refused("--app", "shop", "wamp", "init")
    assert not Path("nowhere").exists()


def test_init_never_writes_over_a_configuration_untold() -> None:
    Path("app.py").write_text(APP)
    CONFIG.parent.mkdir()
    CONFIG.write_text("mine")
    said = refused("wamp", "init")
    assert "--force writes over it" in said
    refused("wamp", "init", answers="n\n")
    assert CONFIG.read_text() == "mine"
    assert "workers" in init(answers="y\n\n\n\n")


def test_init_asks_on_a_terminal() -> None:
    Path("app.py").write_text(APP)
    done = run("wamp", "init", answers="\n9000\nshop\n")
    assert done.exit_code == 0, done.output
    for question in (
        "Application [app:app]: ",
        "Port [8080]: ",
        "Realm [realm1]: ",
    ):
        assert question in done.output
    config = json.loads(CONFIG.read_text())
    assert config["workers"][0]["transports"][0]["endpoint"]["port"] == 9000
    assert config["workers"][0]["realms"][0]["name"] == "shop"


def test_init_asks_again_where_an_answer_cannot_be() -> None:
    Path("app.py").write_text(APP)
    Path("other.py").write_text(APP)
    config = init(answers="other:app\n70000\n8081\ntwo words\nshop\n")
    assert set(places(config)) == {"other:app"}
    assert config["workers"][0]["transports"][0]["endpoint"]["port"] == 8081


def test_init_asks_nothing_that_was_given() -> None:
    Path("app.py").write_text(APP)
    done = run(
        "wamp", "init", "--module", "app", "--port", "1", "--realm", "r_1",
        answers="",
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_init_asks_before_it_writes_a_module() -> None:
    Path("shop.py").write_text(FACTORY)
    said = refused("--app", "shop", "wamp", "init", answers="\nn\n")
    assert "from shop import create_app; app = create_app()" in said
    assert not Path("wsgi.py").exists()


def test_init_before_anything_is_declared() -> None:
    Path("app.py").write_text("from flask import Flask\napp = Flask('shop')\n")
    done = run("wamp", "init")
    assert done.exit_code == 0
    assert "no WAMP extension yet" in done.output
    assert roles(init("--force")) == {"anonymous": 0, "user": 0, "backend": 1}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "0"], "0 is not in the range"),
        (["--realm", "two words"], "is no realm"),
        (["--preset", "cluster"], "'cluster' is not one of"),
        (["--module", "nowhere"], "Could not import 'nowhere'"),
        (["--object", "nothing"], "Failed to find attribute 'nothing'"),
    ],
)
def test_init_refuses_what_cannot_be(arguments: list[str], text: str) -> None:
    Path("app.py").write_text(APP)
    assert text in refused("wamp", "init", *arguments)
    assert not CONFIG.exists()


def test_init_of_an_application_that_fails_to_import_says_so_in_one_line() -> None:
    Path("app.py").write_text("import nonsense")
    done = run("wamp", "init")
    assert done.exit_code == 1
    assert done.output == (
        "Error: While importing 'app', an ImportError was raised: ModuleNotFoundError: No module "
        "named 'nonsense'\n"
    )
    assert "Traceback" in run("wamp", "--traceback", "init").output
