"""What an import in another process shows, whatever it does there."""

import sys
from pathlib import Path

import pytest

from flask_wamp.node.probe import (
    APPLICATION,
    BROKEN,
    FACTORY,
    OTHER,
    SESSION,
    Probe,
    cookie_faults,
    probe,
    strength,
)

APP = """
import sys
from flask import Flask
from flask_wamp import WAMP

print("noise")
app = Flask(__name__)
wamp = WAMP(app)
bare = Flask("bare")
number = 3

@app.get("/price/<article>")
@wamp.callee("com.shop.price", invoke="roundrobin")
def price(article):
    return 3

@wamp.subscribe("com.shop.", match="prefix")
def sold():
    pass

def create_app():
    raise AssertionError("nobody calls this")

class Views:
    application = "shop:app"
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Probe]:
    """Probe all of it at once."""
    directory = tmp_path_factory.mktemp("probe")
    (directory / "shop.py").write_text(APP)
    (directory / "leaves.py").write_text("raise SystemExit(3)")
    (directory / "broken.py").write_text("def x(:\n")
    (directory / "lacking.py").write_text("import nonsense\n")
    places = [
        *(f"shop:{name}" for name in ("app", "bare", "number", "create_app", "nothing")),
        "shop.Views", "leaves:app", "broken:app", "lacking:app", "nowhere:app",
    ]  # fmt: skip
    before = set(sys.modules)
    probes = probe(places, path=[str(directory)], directory=directory)
    assert not {"shop", "broken", "nonsense"} & (set(sys.modules) - before)
    return probes


def test_probe_of_an_application(found: dict[str, Probe]) -> None:
    app = found["shop:app"]
    assert (app.kind, app.extension) == (APPLICATION, True)
    ((uri, match, invoke, where),) = app.procedures
    assert (uri, match, invoke) == ("com.shop.price", "exact", "roundrobin")
    assert "shop.price" in where
    assert [list(topic) for topic in app.topics] == [["com.shop.", "prefix"]]
    assert "/price/<article>" in app.rules


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("shop:bare", APPLICATION),
        ("shop:number", OTHER),
        ("shop:create_app", FACTORY),
        ("shop.Views", SESSION),
        ("shop:nothing", BROKEN),
        ("leaves:app", BROKEN),
        ("nowhere:app", BROKEN),
    ],
)
def test_probe_tells_what_it_is(found: dict[str, Probe], place: str, kind: str) -> None:
    assert found[place].kind == kind
    assert not found[place].extension


def test_probe_looks_at_the_application_of_a_class(found: dict[str, Probe]) -> None:
    assert found["shop.Views"].application == "shop:app"


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("shop:nothing", "the module 'shop' has no 'nothing'"),
        ("leaves:app", "SystemExit: 3"),
        ("nowhere:app", "ModuleNotFoundError: No module named 'nowhere'"),
        ("lacking:app", "ModuleNotFoundError: No module named 'nonsense'"),
    ],
)
def test_probe_says_in_one_line_what_is_wrong(
    found: dict[str, Probe], place: str, error: str
) -> None:
    assert found[place].error == error


def test_probe_has_the_traceback_of_the_code_that_is_somebodys(found: dict[str, Probe]) -> None:
    trace = found["lacking:app"].trace
    assert "lacking.py" in trace
    assert "probe.py" not in trace
    assert "importlib" not in trace
    assert "broken.py:1: SyntaxError" in found["broken:app"].error


def test_probe_of_what_takes_too_long(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)")
    (seen,) = probe(["slow:app"], path=[str(tmp_path)], directory=tmp_path, timeout=0.5).values()
    assert (seen.kind, seen.error) == (BROKEN, "importing it takes over 0.5 s")


def test_probe_of_what_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "gone.py").write_text("import os; os._exit(7)")
    (seen,) = probe(["gone:app"], path=[str(tmp_path)], directory=tmp_path).values()
    assert (seen.kind, seen.error) == (BROKEN, "the process ended with 7")


def test_probe_of_nothing_starts_nothing(tmp_path: Path) -> None:
    assert probe([], path=[], directory=tmp_path / "not there") == {}


def test_probe_of_what_an_application_keeps_from_others(tmp_path: Path) -> None:
    (tmp_path / "safe.py").write_text(
        "import os\nfrom flask import Flask\napp = Flask('safe')\napp.config.from_prefixed_env()\n"
        "bare = Flask('bare')\nbare.debug = True\n"
    )
    key = "0123456789abcdef"
    variables = {
        "FLASK_SECRET_KEY": key,
        "FLASK_SESSION_COOKIE_SECURE": "true",
        "FLASK_TRUSTED_HOSTS": '["shop.example"]',
    }
    probes = probe(
        ["safe:app", "safe:bare"], path=[str(tmp_path)], directory=tmp_path, variables=variables
    )
    app, bare = probes["safe:app"], probes["safe:bare"]
    assert (app.secret_key, app.debug, app.hosts) == ("strong", False, True)
    assert app.cookie_faults == ["SameSite"]
    assert (bare.secret_key, bare.debug, bare.hosts) == ("missing", True, False)
    assert bare.cookie_faults == []
    assert key not in repr(probes)


@pytest.mark.parametrize(
    ("key", "worth"),
    [
        (None, "missing"), ("", "missing"), ("dev", "weak"), ("a" * 64, "weak"), (b"secret", "weak"),
        ("changemechangeme", "weak"), (bytes(range(16)), "strong"), ("correct horse battery staple", "strong"),
    ],
)  # fmt: skip
def test_probe_of_a_secret_key(key: str | bytes | None, worth: str) -> None:
    assert strength(key) == worth


def test_probe_of_cookies() -> None:
    best = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_HTTPONLY": True}
    assert cookie_faults({**best, "SESSION_COOKIE_SAMESITE": "Strict"}) == []
    assert cookie_faults({**best, "SESSION_COOKIE_SAMESITE": "None"}) == ["SameSite"]
    assert cookie_faults({}) == ["Secure", "HttpOnly", "SameSite"]
