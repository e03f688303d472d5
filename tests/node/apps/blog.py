"""An application in the shape of the one that Flask's tutorial builds, made live.

Blueprints, guards and the database are the tutorial's; ``@wamp.callee`` is all that is added.
"""

import functools
import os
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    request,
    session,
    url_for,
)
from werkzeug.security import check_password_hash, generate_password_hash

from flask_wamp import WAMP

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (
  id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS post (
  id INTEGER PRIMARY KEY AUTOINCREMENT, author_id INTEGER NOT NULL, title TEXT NOT NULL,
  body TEXT NOT NULL);
"""

wamp = WAMP()
auth = Blueprint("auth", __name__, url_prefix="/auth")
blog = Blueprint("blog", __name__)


def get_db() -> sqlite3.Connection:
    """Return the request's connection."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.executescript(SCHEMA)
    db: sqlite3.Connection = g.db
    return db


def close_db(_error: BaseException | None = None) -> None:
    """Close the request's connection."""
    db = g.pop("db", None)
    if db is not None:
        db.close()


@auth.before_app_request
def load_logged_in_user() -> None:
    """Load the user of the session, as the tutorial has it."""
    user_id = session.get("user_id")
    if user_id is None:
        g.user = None
    else:
        g.user = get_db().execute("SELECT * FROM user WHERE id = ?", (user_id,)).fetchone()


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Redirect visitors to the login page, as the tutorial has it."""

    @functools.wraps(view)
    def wrapped_view(**kwargs: Any) -> Any:
        if g.user is None:
            return redirect(url_for("auth.login"))
        return view(**kwargs)

    return wrapped_view


@auth.route("/register", methods=("GET", "POST"))
def register() -> Any:
    """Register a user."""
    if request.method == "POST":
        get_db().execute(
            "INSERT INTO user (username, password) VALUES (?, ?)",
            (request.form["username"], generate_password_hash(request.form["password"])),
        )
        get_db().commit()
        return redirect(url_for("auth.login"))
    return "Register"


@auth.route("/login", methods=("GET", "POST"))
def login() -> Any:
    """Log a user in."""
    if request.method == "POST":
        name = (request.form["username"],)
        user = get_db().execute("SELECT * FROM user WHERE username = ?", name).fetchone()
        if user is not None and check_password_hash(user["password"], request.form["password"]):
            session.clear()
            session["user_id"] = user["id"]
            return redirect(url_for("blog.index"))
        flash("Incorrect username or password.")
    return "Log In"


@auth.route("/logout")
def logout() -> Any:
    """Log the user out."""
    session.clear()
    return redirect(url_for("blog.index"))


@blog.route("/")
@wamp.callee("com.blog.index", allow="everyone")
def index() -> Any:
    """Show the posts."""
    posts = get_db().execute("SELECT title, username FROM post JOIN user ON user.id = author_id")
    return {"user": g.user and g.user["username"], "posts": [list(post) for post in posts]}


@blog.route("/create", methods=("GET", "POST"))
@wamp.callee("com.blog.create", allow="everyone")
@login_required
def create(title: str = "", body: str = "") -> Any:
    """Make a post."""
    if request.method == "GET":
        return "New Post"
    get_db().execute(
        "INSERT INTO post (title, body, author_id) VALUES (?, ?, ?)", (title, body, g.user["id"])
    )
    get_db().commit()
    if request.method == "CALL":
        return {"title": title, "author": g.user["username"]}
    return redirect(url_for("blog.index"))


@blog.route("/<int:id>/delete", methods=("POST",))
@wamp.callee("com.blog.delete", allow="everyone")
@login_required
def delete(id: int) -> Any:  # noqa: A002
    """Delete a post, and show the others, whoever asks."""
    post = get_db().execute("SELECT author_id FROM post WHERE id = ?", (id,)).fetchone()
    if post is None:
        abort(404)
    if post["author_id"] != g.user["id"]:
        abort(403)
    get_db().execute("DELETE FROM post WHERE id = ?", (id,))
    get_db().commit()
    return redirect(url_for("blog.index"))


@wamp.authenticate
def who() -> tuple[str, str] | str:
    """Say who a page is."""
    return ("user", str(g.user["id"])) if g.user else "anonymous"


def create_app(**config: Any) -> Flask:
    """Return the application."""
    app = Flask(__name__)
    app.config.from_mapping(
        {"SECRET_KEY": "dev", "DATABASE": os.environ.get("BLOG_DATABASE", ":memory:"), **config}
    )
    app.teardown_appcontext(close_db)
    app.register_blueprint(auth)
    app.register_blueprint(blog)
    wamp.init_app(app)
    return app
