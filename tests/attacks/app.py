"""What is attacked: an application that says who may do what, and whose users log in."""

import os
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, g, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_wamp import WAMP, invocation
from flask_wamp.crossbar import ViewsSession, WebSession

KEY = "the key that signs the cookies of the attacked"
#: What an exception of the application says, and nobody is to read.
CONFIDENCE = "postgresql://attacked:password@database"

app = Flask(__name__)
app.config.from_mapping(SECRET_KEY=KEY)
app.config.from_prefixed_env()
# Each peer of the tests has an address of its own, so that none waits for what others have tried.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=0)  # type: ignore[method-assign]
wamp = WAMP(app)
manager = LoginManager(app)
deleted: set[str] = set()


class User(UserMixin):
    """Anybody who was not deleted."""

    def __init__(self, name: str) -> None:
        self.id = name


@manager.user_loader
def load(name: str) -> User | None:
    """Return a user."""
    return None if name in deleted else User(name)


class Unprintable:
    """An answer that says nothing about itself."""

    def __repr__(self) -> str:
        raise RuntimeError(CONFIDENCE)


def fail() -> None:
    """Fail in the application."""
    raise RuntimeError(CONFIDENCE)


def overflow() -> Any:
    """Never end by itself."""
    return overflow()


def leave() -> None:
    """End the thread that asks."""
    raise SystemExit(3)


#: What an authenticator may do that is none, by the name that a cookie asks for it with.
MOODS: dict[str, Callable[[], Any]] = {
    "raises": fail,
    "recurses": overflow,
    "exits": leave,
    "hangs": lambda: threading.Event().wait(30),
    "a-number": lambda: 7,
    "true": lambda: True,
    "bytes": lambda: b"user",
    "an-empty-text": lambda: "",
    "an-object": Unprintable,
    "a-class": lambda: User,
    "a-dict": lambda: {"role": "user", "authid": "alice"},
    "a-generator": lambda: (each for each in ("user", "alice")),
    "nothing": lambda: (),
    "three": lambda: ("user", "alice", "admin"),
    "no-authid": lambda: ("user", None),
    "an-empty-authid": lambda: ("user", ""),
    "a-long-authid": lambda: ("user", "x" * 300),
    "an-authid-of-lines": lambda: ("user", "alice\nadmin"),
    "a-numeric-authid": lambda: ("user", 7),
    "a-role-of-spaces": lambda: ("user admin", "alice"),
    "a-list-for-a-role": lambda: (["user"], "alice"),
    "an-object-for-a-role": lambda: (Unprintable(), "alice"),
    "an-unknown-role": lambda: ("root", "alice"),
    "trusted": lambda: ("trusted", "alice"),
    "backend": lambda: ("backend", "alice"),
}


@wamp.authenticate
def who() -> Any:
    """Say who a page is, unless it wants something else."""
    mood = request.cookies.get("mood")
    if mood is not None:
        return MOODS[mood]()
    if not current_user.is_authenticated:
        return "anonymous"
    return "admin" if current_user.id == "root" else "user", current_user.id


@app.get("/")
def pid() -> str:
    """Return the number of the process."""
    return str(os.getpid())


@app.post("/login/<name>")
def login(name: str) -> str:
    """Log in."""
    login_user(User(name))
    return name


@app.post("/logout")
def logout() -> str:
    """Log out."""
    logout_user()
    return ""


@app.post("/delete")
def delete() -> str:
    """Delete the user, who stays logged in."""
    deleted.add(current_user.id)
    return ""


@app.post("/ticket/<name>")
def ticket(name: str) -> str:
    """Issue a ticket."""
    return wamp.issue_ticket(name, role="user", once="many" not in request.args)


@app.post("/tell/<topic>")
def tell(topic: str) -> str:
    """Publish an event as the application."""
    g.wampy.publish(topic, topic)
    return ""


@wamp.callee("com.fort.gate", allow="everyone")
def gate(*values: Any) -> list[Any]:
    """Return what it was given."""
    return list(values)


@wamp.callee("com.fort.doze", allow="everyone", concurrency=4)
def doze(*_values: Any) -> None:
    """Take long, unless nobody waits any more."""
    invocation.wait_cancelled(60)


@wamp.callee("com.fort.visit", allow="anonymous")
@wamp.callee("com.fort.hall", allow=["user", "admin"])
@wamp.callee("com.fort.treasury", allow="admin")
@wamp.callee("com.fort.kitchen")
def room() -> str:
    """Stand for a view that somebody may call."""
    return "in"


wamp.topic("com.fort.news", subscribe="everyone")
wamp.topic("com.fort.talk", publish=["user", "admin"], subscribe=["user", "admin"])
wamp.topic("com.fort.plans", publish="admin", subscribe="admin", retain=True)
wamp.topic("com.fort.inbox", publish="everyone")


class Web(WebSession):
    """The web side."""

    application = "tests.attacks.app:app"


class Views(ViewsSession):
    """Serves the procedures."""

    application = "tests.attacks.app:app"
