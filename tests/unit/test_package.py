"""What the package exports, and what importing it does."""

import json
from types import ModuleType

import flask_wamp

from .doubles import run_program

EXPORTED = {
    "Access",
    "ApplicationError",
    "BlockingCallError",
    "CallResult",
    "CallTimeout",
    "Canceled",
    "ConfigError",
    "DeclarationError",
    "Handle",
    "InvalidArgument",
    "Namespace",
    "NoSuchProcedure",
    "NotAuthorized",
    "NotConnected",
    "OptionError",
    "PayloadError",
    "ReadOnlySession",
    "PendingCall",
    "RegistrationFailed",
    "RemoteError",
    "SessionInfo",
    "SetupError",
    "Stream",
    "StreamOverflow",
    "TooManyCalls",
    "Unanswered",
    "WAMP",
    "WAMPError",
    "call_finished",
    "call_started",
    "connect",
    "event",
    "invocation",
    "session_joined",
    "session_left",
}


def test_package_exports() -> None:
    """A name that comes or goes here is a change that users notice: see the changelog."""
    names = {
        name
        for name, value in vars(flask_wamp).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert names == EXPORTED


def test_package_exports_every_error() -> None:
    errors = vars(flask_wamp.errors)
    classes = {name for name, value in errors.items() if isinstance(value, type)}
    assert {n for n in classes if issubclass(errors[n], Exception)} <= EXPORTED


def test_package_import_loads_no_reactor() -> None:
    """Nor does an application that is only declared and set up."""
    printed = run_program(
        """
        import json, sys, threading
        from flask import Flask, g
        from flask_wamp import WAMP

        app = Flask("shop")
        wamp = WAMP(app)

        @app.get("/")
        @wamp.callee
        def index():
            return "x"

        @wamp.consume(topic="com.example.x")
        def handle():
            pass

        with app.app_context():
            g.wampy.rpc
        assert app.test_client().get("/").text == "x"
        wamp.stop()
        loaded = {name.partition(".")[0] for name in sys.modules}
        heavy = {"twisted", "autobahn", "txaio", "zope", "crossbar", "asyncio", "multiprocessing"}
        print(json.dumps([sorted(loaded & heavy), threading.active_count()]))
        """
    )
    assert json.loads(printed) == [[], 1]


def test_package_is_typed() -> None:
    from importlib.resources import files

    assert (files(flask_wamp) / "py.typed").is_file()


def test_package_connects_without_the_extra_tls() -> None:
    """Only addresses with TLS need pyOpenSSL."""
    printed = run_program(
        """
        import sys, warnings
        # passlib, which Autobahn imports, imports the standard library's crypt.
        warnings.simplefilter("ignore", DeprecationWarning)
        sys.modules["OpenSSL"] = None
        from flask import Flask, g
        from flask_wamp import WAMP, NotConnected
        app = Flask("plain")
        app.config["WAMP_URL"] = "rs://127.0.0.1:9"
        WAMP(app)
        with app.app_context():
            try:
                g.wampy.call("com.example.x")
            except NotConnected as error:
                print(error)
        """
    )
    assert "refused" in printed


LAZILY = """
import importlib.util, json
lazy, load = [], importlib.util.LazyLoader.exec_module

def exec_module(self, module):
    lazy.append(module.__name__)
    return load(self, module)

importlib.util.LazyLoader.exec_module = exec_module
import flask_wamp._twisted.connection
from importlib.util import LazyLoader
from autobahn.wamp import serializer
print(json.dumps([lazy, LazyLoader.__module__, hasattr(serializer.message_fbs, "Error")]))
"""


def test_package_connects_with_no_module_of_autobahn_half_loaded() -> None:
    """Another thread, the reloader's, that looks at a lazy module while it loads breaks it."""
    lazy, loader, has_messages = json.loads(run_program(LAZILY))
    assert lazy == []
    assert loader == "importlib.util"
    assert has_messages
