"""Who is logged in, as Flask's tutorial has it; and who that is on WAMP."""

import functools
import sqlite3
from collections.abc import Callable
from typing import ParamSpec

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from flask_app import db, users
from flask_app.answers import json_object, wants_json
from flask_app.extensions import wamp

P = ParamSpec("P")

bp = Blueprint("auth", __name__, url_prefix="/auth")


@bp.before_app_request
def load_logged_in_user() -> None:
    """Load the user that the cookie names, for every request."""
    user_id = session.get("user_id")
    g.user = None if user_id is None else users.find(db.connection(), user_id)


@wamp.authenticate
def who() -> str | tuple[str, str]:
    """Say who a page is: the user that is logged in, or a visitor."""
    return "anonymous" if g.user is None else ("user", str(g.user["id"]))


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let nobody into *view* who is not logged in."""

    @functools.wraps(view)
    def wrapped_view(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if g.user is not None:
            return view(*args, **kwargs)
        if wants_json():
            abort(401, "Log in first.")
        return redirect(url_for("auth.login"), 303)

    return wrapped_view


@bp.route("/register", methods=("GET", "POST"))
def register() -> ResponseReturnValue:
    """Store a new user, who is logged in then."""
    if request.method == "GET":
        return render_template("account.html")
    name, password = entered()
    return let_in(users.register(db.connection(), name, password))


@bp.route("/login", methods=("GET", "POST"))
def login() -> ResponseReturnValue:
    """Log a user in."""
    if request.method == "GET":
        return render_template("account.html")
    user = users.check(db.connection(), *entered())
    if user is None:
        abort(401, "There is no user of that name and password.")
    return let_in(user)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Log the user out."""
    session.clear()
    return {} if wants_json() else redirect(url_for("polls.page"), 303)


def entered() -> tuple[object, object]:
    """Return name and password of the request."""
    body = json_object() if request.is_json else request.form
    return body.get("name"), body.get("password")


def let_in(user: sqlite3.Row) -> ResponseReturnValue:
    """Begin a session anew, so that nothing of the one before it stays."""
    session.clear()
    session["user_id"] = user["id"]
    if wants_json():
        return {"id": user["id"], "name": user["name"]}
    return redirect(url_for("polls.page"), 303)
