"""The fixture ``wamp_client``, in the hands of a reader's own pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "good/conftest.py": """
        import pytest
        from flask import Flask, g
        from flask_wamp import WAMP

        wamp = WAMP()

        @wamp.callee("com.shop.add")
        def add(a, b):
            g.wampy.publish("com.shop.added", a + b)
            return a + b

        @wamp.callee("com.shop.fail")
        def fail():
            raise ValueError("a defect")

        @wamp.subscribe("com.shop.failing")
        def failing():
            raise KeyError("of a handler")

        @pytest.fixture
        def app():
            app = Flask("shop")
            app.testing = True
            app.get("/failing")(lambda: str(g.wampy.publish("com.shop.failing")))
            wamp.init_app(app)
            return app
    """,
    "good/test_good.py": """
        import pytest
        from flask_wamp.testing import Publication

        @pytest.mark.parametrize("number", [1, 2])
        def test_adds(wamp_client, number):
            assert wamp_client.call("com.shop.add", number, 2) == number + 2
            assert wamp_client.published == [Publication("com.shop.added", number + 2)]

        def test_defect(wamp_client):
            with pytest.raises(ValueError, match="a defect"):
                wamp_client.call("com.shop.fail")

        def test_is_restored(app, wamp_client):
            assert app.extensions["wamp"].slot.link is not None

        def test_handler_error_nobody_saw(app, wamp_client):
            assert app.test_client().get("/failing").status_code == 200
    """,
    "bare/test_bare.py": """
        def test_without_app(wamp_client):
            pass
    """,
    "other/conftest.py": """
        import pytest

        @pytest.fixture
        def app(no_such_fixture):
            pass
    """,
    "other/test_other.py": """
        def test_broken_app(wamp_client):
            pass
    """,
    "foreign/conftest.py": """
        import flask, pytest

        @pytest.fixture
        def app():
            return flask.Flask("bare")
    """,
    "nodeless/test_nodeless.py": """
        def test_without_a_node(crossbar_node):
            pass
    """,
    "foreign/test_foreign.py": """
        def test_app_without_extension(wamp_client):
            pass
    """,
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of the reader's tests."""
    directory = tmp_path_factory.mktemp("reader")
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        lines = text.strip("\n").splitlines()
        path.write_text("\n".join(line[8:] for line in lines) + "\n")
    (directory / "pytest.ini").write_text("[pytest]\n")
    arguments = ["-rA", "-p", "no:cacheprovider", "--disable-plugin-autoload"]
    plugin = ["-p", "flask_wamp.testing.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", *arguments, *plugin],
        cwd=directory,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "PASSED good/test_good.py::test_adds[1]",
        "PASSED good/test_good.py::test_adds[2]",
        "PASSED good/test_good.py::test_defect",
        "PASSED good/test_good.py::test_is_restored",
        "ERROR good/test_good.py::test_handler_error_nobody_saw - KeyError: 'of a hand",
        "ERROR bare/test_bare.py::test_without_app",
        "ERROR other/test_other.py::test_broken_app",
        "ERROR foreign/test_foreign.py::test_app_without_extension",
        "ERROR nodeless/test_nodeless.py::test_without_a_node",
    ],
)
def test_plugin_outcome(printed: str, line: str) -> None:
    summary = printed.partition("short test summary info")[2]
    assert any(found.startswith(line) for found in summary.splitlines()), printed


@pytest.mark.parametrize(
    "text",
    [
        "wamp_client needs a fixture 'app' that returns the Flask application: write one in conftest",
        "fixture 'no_such_fixture' not found",
        ".crossbar/config.json, which is not there: flask wamp init writes it, and the ini option",
        "has no WAMP extension: call wamp.init_app(app)",
    ],
)
def test_plugin_says_what_is_missing(printed: str, text: str) -> None:
    assert text in printed
