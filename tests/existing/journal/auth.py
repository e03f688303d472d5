"""Accounts: registering, logging in and out, and views for those alone who have."""

import functools
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

from .db import get_db

bp = Blueprint("auth", __name__, url_prefix="/auth")


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Send those who are not logged in to the page where they can."""

    @functools.wraps(view)
    def wrapped(**kwargs: Any) -> Any:
        if g.user is None:
            return redirect(url_for("auth.login"))
        return view(**kwargs)

    return wrapped


@bp.before_app_request
def load_logged_in_user() -> None:
    """Let every view know who asks."""
    number = session.get("user_id")
    g.user = None
    if number is not None:
        g.user = get_db().execute("SELECT * FROM user WHERE id = ?", (number,)).fetchone()


@bp.route("/register", methods=("GET", "POST"))
def register() -> Any:
    """Make an account."""
    if request.method == "POST":
        name, password = request.form["username"], request.form["password"]
        db = get_db()
        try:
            db.execute(
                "INSERT INTO user (username, password) VALUES (?, ?)",
                (name, generate_password_hash(password)),
            )
            db.commit()
        except sqlite3.IntegrityError:
            flash(f"{name} has an account already.")
        else:
            return redirect(url_for("auth.login"))
    return render_template("auth/form.html", title="Register")


@bp.route("/login", methods=("GET", "POST"))
def login() -> Any:
    """Log in."""
    if request.method == "POST":
        name, password = request.form["username"], request.form["password"]
        user = get_db().execute("SELECT * FROM user WHERE username = ?", (name,)).fetchone()
        if user is not None and check_password_hash(user["password"], password):
            session.clear()
            session["user_id"] = user["id"]
            return redirect(url_for("index"))
        flash("Wrong name or password.")
    return render_template("auth/form.html", title="Log in")


@bp.route("/logout")
def logout() -> Any:
    """Log out."""
    session.clear()
    return redirect(url_for("index"))
