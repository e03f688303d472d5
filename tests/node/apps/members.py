"""An application whose users log in with Flask-Login, and whose sessions log in in every other way."""

import hashlib
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from autobahn.wamp.auth import derive_scram_credential
from flask import Flask, abort, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_wamp import WAMP, invocation
from flask_wamp.crossbar import ViewsSession, WebSession
from flask_wamp.login import Handshake

app = Flask(__name__)
app.config.from_mapping(SECRET_KEY="the key of the members' tests", WAMP_TIMEOUT=15)
app.config.from_prefixed_env()
# Each peer of the tests has an address of its own, so that none waits for what others have tried.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=0)  # type: ignore[method-assign]
wamp = WAMP(app)
manager = LoginManager(app)
#: A file that tells the roles of users, which change.
ROLES = Path(os.environ.get("MEMBERS_ROLES", "/nonexistent"))
#: A key pair of Ed25519, for cryptosign.
PRIVATE_KEY = hashlib.sha256(b"the private key of these tests").hexdigest()
PASSWORDS = {"alice": "the password of alice"}


class User(UserMixin):
    """Who may log in: everybody but "deleted"."""

    def __init__(self, name: str) -> None:
        self.id = name


@manager.user_loader
def load(name: str) -> User | None:
    """Return a user."""
    return None if name == "deleted" else User(name)


@wamp.authenticate
def who(handshake: Handshake) -> Any:
    """Say who a page is; a cookie of the tests decides whether that goes well."""
    mood = request.cookies.get("mood", "")
    if mood == "raises":
        raise RuntimeError("a secret of the application")
    if mood == "hangs":
        threading.Event().wait(30)
    if mood == "nonsense":
        return 7
    if mood == "exits":
        raise SystemExit(1)
    if mood == "aborts":
        abort(403)
    if mood.startswith("role-"):
        return mood.removeprefix("role-"), "somebody"
    if mood == "address":
        return "anonymous", handshake.environ["REMOTE_ADDR"]
    if not current_user.is_authenticated:
        return "anonymous"
    roles = dict(line.split() for line in ROLES.read_text().splitlines()) if ROLES.exists() else {}
    return roles.get(current_user.id, "user"), current_user.id


@app.post("/login/<name>")
def login(name: str) -> str:
    """Log in, and give the session what the extension gives it."""
    login_user(User(name))
    session["_wamp_login"] = f"{time.time_ns() // 1_000_000}.{secrets.token_urlsafe(18)}"
    return str(session["_wamp_login"])


@app.post("/logout")
def logout() -> dict[str, int]:
    """Log out everywhere."""
    ended = wamp.end_sessions(current_user.get_id())
    logout_user()
    return {"ended": ended}


@app.post("/reauthenticate/<name>")
def reauthenticate(name: str) -> dict[str, int]:
    """Have the pages of somebody come back."""
    return {"ended": wamp.reauthenticate(name)}


@app.post("/ticket/<name>")
def ticket(name: str) -> str:
    """Issue a ticket."""
    return wamp.issue_ticket(
        name,
        role=request.args.get("role", "user"),
        expires=float(request.args.get("expires", "60")),
        once="reusable" not in request.args,
    )


@wamp.credentials("wampcra")
def shared_secret(authid: str) -> Any:
    """Return the secret that is shared with somebody."""
    if authid == "broken":
        raise RuntimeError("a secret of the application")
    if authid not in PASSWORDS:
        return None
    salted = {"salt": "salt of alice", "iterations": 100, "keylen": 32}
    return {"secret": PASSWORDS[authid], "role": "user", **salted}


# Derived before anybody logs in, as an application stores it: it takes seconds on a busy machine.
STORED = {
    authid: derive_scram_credential(authid, password, hashlib.sha256(b"a salt").digest()[:16])
    for authid, password in PASSWORDS.items()
}


@wamp.credentials("scram")
def scram(authid: str) -> Any:
    """Return what is stored of a password."""
    return {"role": "user", **STORED[authid]} if authid in STORED else None


@wamp.credentials("cryptosign")
def public_keys(authid: str) -> Any:
    """Return the keys of a device."""
    from autobahn.wamp.cryptosign import CryptosignKey

    key = CryptosignKey.from_bytes(bytes.fromhex(PRIVATE_KEY)).public_key()
    return {"role": "user", "public_keys": [key]} if authid == "alice" else None


@wamp.credentials("tls")
def certificate(certificate: dict[str, Any]) -> Any:
    """Return who has a certificate."""
    return ("user", certificate["subject"]["cn"]) if "subject" in certificate else None


@wamp.callee("com.members.who", allow="everyone")
def who_calls() -> list[str | None]:
    """Return who calls."""
    return [invocation.caller_authid, invocation.caller_authrole]


@wamp.callee("com.members.end", allow="everyone")
def end(authid: str) -> int:
    """End somebody's sessions, from the process that serves."""
    return wamp.end_sessions(authid)


class Web(WebSession):
    """The web side."""

    application = "tests.node.apps.members:app"


class Views(ViewsSession):
    """Serves the procedures."""

    application = "tests.node.apps.members:app"
