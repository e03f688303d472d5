"""The entries: a page of all of them, one as JSON, and a form for the next."""

from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from .auth import login_required
from .db import get_db

bp = Blueprint("entries", __name__)

QUERY = "SELECT entry.id, title, body, username FROM entry JOIN user ON author_id = user.id "


@bp.route("/")
def index() -> str:
    """Show all entries, the latest first."""
    entries = get_db().execute(QUERY + "ORDER BY entry.id DESC").fetchall()
    return render_template("entries/index.html", entries=entries)


@bp.route("/entries/<int:number>")
def entry(number: int) -> dict[str, Any]:
    """Return one entry."""
    found = get_db().execute(QUERY + "WHERE entry.id = ?", (number,)).fetchone()
    if found is None:
        abort(404, f"There is no entry {number}.")
    return {"title": found["title"], "author": found["username"]}


@bp.route("/create", methods=("GET", "POST"))
@login_required
def create() -> Any:
    """Write an entry."""
    if request.method == "POST":
        db = get_db()
        db.execute(
            "INSERT INTO entry (title, body, author_id) VALUES (?, ?, ?)",
            (request.form["title"], request.form["body"], g.user["id"]),
        )
        db.commit()
        return redirect(url_for("entries.index"))
    return render_template("entries/create.html")
