"""The views: each one that stands under ``@wamp.callee`` is also a WAMP procedure."""

import logging
from typing import Any

from flask import Blueprint, abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app import db, polls
from flask_app.answers import json_object, wants_json
from flask_app.auth import login_required
from flask_app.extensions import wamp
from flask_wamp import WAMPError

bp = Blueprint("polls", __name__)

# The pages follow these; what they say comes from here alone.
wamp.topic("com.example.polls.created", subscribe="everyone")
wamp.topic("com.example.polls..results", match="wildcard", subscribe="everyone")
# Served by another application, which says nothing about rights in this node.
wamp.procedure("com.example.summary.poll", allow="everyone")

#: Key in `app.extensions`: the summary service has answered since the process started.
SUMMARY_SEEN = "flask_app.summary_seen"
#: Seconds that a page waits for what it can do without: the summary, and the router.
PATIENCE = 2.0


@bp.get("/")
def page() -> ResponseReturnValue:
    """Show one poll, the newest unless ``?poll=`` names another."""
    connection = db.connection()
    poll_id = request.args.get("poll", type=int) or polls.newest(connection)
    poll = polls.results(connection, poll_id)
    try:
        sentence = str(ask_summary(poll_id)["text"])
    except (WAMPError, KeyError, TypeError):
        sentence = ""  # the page is complete without the sentence
    return render_template(
        "page.html",
        poll=poll,
        others=polls.others(connection, poll_id),
        summary=sentence,
        is_owner=g.user is not None and polls.is_owner(connection, poll_id, g.user["id"]),
    )


@bp.post("/polls")
@wamp.callee("com.example.polls.create", allow="user")
@login_required
def create(question: object = None, choices: object = None) -> ResponseReturnValue:
    """Create a poll and tell the open pages about it."""
    if request.method == "POST" and request.is_json:
        body = json_object()
        question, choices = body.get("question"), body.get("choices")
    elif request.method == "POST":
        question = request.form.get("question")
        lines = request.form.get("choices", "").splitlines()
        choices = [line for line in lines if line.strip()]
    poll = polls.create(db.connection(), question, choices, g.user["id"])
    publish("com.example.polls.created", id=poll["id"], question=poll["question"])
    return answer(poll)


@bp.get("/polls/<int:poll_id>")
@wamp.callee("com.example.polls.results", allow="everyone")
def results(poll_id: int) -> ResponseReturnValue:
    """Return how a poll stands."""
    return polls.results(db.connection(), poll_id)


@bp.post("/polls/<int:poll_id>/votes")
@wamp.callee("com.example.polls.vote", allow="everyone")
def vote(poll_id: int, choice: object = None) -> ResponseReturnValue:
    """Count one vote and tell the open pages and the services about it."""
    if request.method == "POST" and request.is_json:
        choice = json_object().get("choice")
    elif request.method == "POST":
        choice = request.form.get("choice", type=int)
    poll = polls.vote(db.connection(), poll_id, choice)
    publish(f"com.example.polls.{poll_id}.results", **poll)
    publish("com.example.polls.voted", poll_id=poll_id, choice=choice, total=poll["total"])
    return answer(poll)


@bp.post("/polls/<int:poll_id>/close")
@wamp.callee("com.example.polls.close", allow="user")
@login_required
def close(poll_id: int) -> ResponseReturnValue:
    """Close a poll of the user's, and tell the open pages about it."""
    poll = polls.close(db.connection(), poll_id, g.user["id"])
    publish(f"com.example.polls.{poll_id}.results", **poll)
    return answer(poll)


@bp.get("/polls/<int:poll_id>/summary")
@wamp.callee("com.example.polls.summary", allow="everyone")
def summary(poll_id: int) -> ResponseReturnValue:
    """Return what the summary service says about a poll."""
    polls.results(db.connection(), poll_id)  # an unknown poll is 404, not 503
    try:
        return ask_summary(poll_id)
    except WAMPError as error:
        current_app.logger.log(outage_level(), "No summary of poll %s: %s", poll_id, error)
        abort(503, "The summary service does not answer right now.")


def ask_summary(poll_id: int) -> dict[str, Any]:
    """Ask the summary service, a program of its own, about a poll."""
    reply: dict[str, Any] = g.wampy.with_options(timeout=PATIENCE).call(
        "com.example.summary.poll", poll_id
    )
    current_app.extensions[SUMMARY_SEEN] = True
    return reply


def outage_level() -> int:
    """Return the level at which to log that the summary service does not answer.

    While the node starts the page is there before the service, and nothing is wrong yet.
    """
    return logging.WARNING if SUMMARY_SEEN in current_app.extensions else logging.INFO


def publish(topic: str, **details: Any) -> None:
    """Publish a change that is in the database by now.

    That the router is away must not make an error of it: the pages fetch the results again as
    soon as they are connected.
    """
    try:
        g.wampy.with_options(timeout=PATIENCE).publish(topic, **details)
    except WAMPError as error:
        current_app.logger.warning("Nothing published to %s: %s", topic, error)


def answer(poll: polls.Results) -> ResponseReturnValue:
    """Answer a change: with the results or, to a browser's form, with the way to the page."""
    if wants_json():
        return poll
    return redirect(url_for("polls.page", poll=poll["id"]), 303)
