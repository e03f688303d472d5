"""An application that says who may do what, and the sessions of its node."""

import threading
from typing import Any

from flask import Flask, current_app, g

from flask_wamp import WAMP, Access, invocation
from flask_wamp.crossbar import ViewsSession, WebSession

app = Flask(__name__)
wamp = WAMP(app)
slow = threading.Event()


@wamp.callee("com.rights.open", allow="everyone")
def open_() -> list[Any]:
    """Return who calls."""
    return [invocation.caller, invocation.caller_authrole]


@wamp.callee("com.rights.visit", allow="anonymous")
def visit() -> int:
    """Return 1."""
    return 1


@wamp.callee("com.rights.work", allow=["user", "clerk"])
def work() -> int:
    """Return 2."""
    return 2


@wamp.callee("com.rights.closed")
def closed() -> int:
    """Return 3."""
    return 3


def decides(access: Access) -> Any:
    """Let those in who ask for it, in a context of the application."""
    assert current_app.name == __name__
    how = access.uri.rpartition(".")[2]
    if how == "hangs":
        slow.wait(5)
    return {"lets": True, "truthy": 1, "none": None}[how]


@wamp.callee("com.rights.asked.", match="prefix", allow=decides)
def asked() -> int:
    """Return 4."""
    return 4


@wamp.callee("com.rights.tell")
def tell(topic: str, value: Any) -> None:
    """Publish as the application."""
    g.wampy.publish(topic, value)


wamp.topic("com.rights.news", subscribe="everyone")
wamp.topic("com.rights.room.", match="prefix", publish="user", subscribe="user")
wamp.topic("com.rights.room.staff", publish="clerk", subscribe="clerk")
wamp.topic("com.rights.kept", publish="user", subscribe="everyone", retain=True)


class Web(WebSession):
    """The router's component."""

    application = "tests.node.apps.rights:app"


class Lacking(Web):
    """One in a version of Crossbar.io that does not take roles."""

    def onConnect(self) -> None:
        """Take away what a later version may not have."""
        from crossbar.router.router import Router

        del Router.add_role
        super().onConnect()


class Views(ViewsSession):
    """Serves the application."""

    application = "tests.node.apps.rights:app"
