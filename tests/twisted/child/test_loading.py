"""The application of a serving process, with the router that its supervisor names."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_wamp import SetupError
from flask_wamp._twisted.child.loading import load, service_name
from flask_wamp._twisted.supervise.settings import ChildSettings
from flask_wamp.errors import ConfigError

APP = """
from flask import Flask
from flask_wamp import WAMP

app = Flask("shop")
app.config.from_mapping(WAMP_URL="ws://localhost:8080/ws", WAMP_AUTHID="a", WAMP_TICKET="t")
wamp = WAMP(app)

@wamp.callee("com.shop.a")
def a(): return 1
"""
URL = "unix:router.sock"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return what writes the module of an application, and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def write(text: str = APP) -> str:
        names.append(f"child_shop_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(text)
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("as_flask", [False, True])
def test_load_uses_the_router_it_is_told_as_whoever_opens_the_socket(
    write: Write, as_flask: bool
) -> None:
    place = f"{write()}:app"
    state = load(ChildSettings(place, url=URL, realm="shop", threads=3, as_flask=as_flask))
    config = state.config
    assert (config.urls, config.realm, config.threads) == (URL, "shop", 3)
    assert config.credentials is None


def test_load_leaves_what_it_is_not_told(write: Write) -> None:
    config = load(ChildSettings(f"{write()}:app", login=True)).config
    assert (config.urls, config.realm, config.threads) == ("ws://localhost:8080/ws", "realm1", 8)
    assert config.credentials is not None


def test_load_takes_no_later_declarations(write: Write) -> None:
    module = write()
    load(ChildSettings(f"{module}:app", by="a process of the node"))
    with pytest.raises(SetupError, match="a process of the node"):
        sys.modules[module].wamp.callee("com.shop.late")(lambda: 1)


@pytest.mark.parametrize(
    ("text", "settings", "error", "said"),
    [
        (APP, {"url": "nowhere"}, ConfigError, "'nowhere' is no router"),
        ("from flask import Flask\napp = Flask('x')", {}, SetupError, "no WAMP extension"),
        (APP + "\napp.extensions['wamp'].slot.attach(object())", {}, SetupError, "is imported"),
        ("1 / 0", {}, ZeroDivisionError, "zero"),
    ],
    ids=["url", "extension", "connects", "exception"],
)
def test_load_says_what_is_wrong(
    write: Write, text: str, settings: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        load(ChildSettings(f"{write(text)}:app", **settings))  # type: ignore[arg-type]


def test_processes_of_a_service_have_its_name_in_common() -> None:
    first, second = ChildSettings("shop:app", slot=1), ChildSettings("shop:app", generation=2)
    assert service_name(first) == service_name(second) != service_name(ChildSettings("other:app"))
