"""A microservice: a second Flask application, in a container of its own.

It consumes the votes, and sums a poll up in a sentence. What a poll's results are it asks the
first application: Flask talking to Flask.
"""

import threading
from collections import Counter
from typing import Any

from flask import Flask, g

from flask_wamp import WAMP

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=5)
app.config.from_prefixed_env()
wamp = WAMP(app)

votes_seen: Counter[int] = Counter()
counting = threading.Lock()


@wamp.consume(topic="com.example.polls.voted")
def count(poll_id: int, **_vote: Any) -> None:
    """Count a vote; the service starts at zero each time."""
    with counting:
        votes_seen[poll_id] += 1


@wamp.callee("com.example.summary.poll")
def summary(poll_id: int) -> dict[str, Any]:
    """Return a poll's summary, ``{"poll": id, "text": ..., "votes_seen": ...}``."""
    results = g.wampy.call("com.example.polls.results", poll_id)
    return {"poll": poll_id, "text": sentence(results), "votes_seen": votes_seen[poll_id]}


def sentence(results: dict[str, Any]) -> str:
    """Say in a sentence how a poll stands."""
    total = results["total"]
    if not total:
        return "Nobody has voted yet."
    most = max(choice["votes"] for choice in results["choices"])
    leaders = [choice["text"] for choice in results["choices"] if choice["votes"] == most]
    votes = "1 vote" if total == 1 else f"{total} votes"
    if len(leaders) > 1:
        return f"{' and '.join(leaders)} are level at {most} of {votes}."
    percent = (200 * most + total) // (2 * total)  # rounds half up, as the page does
    return f"{leaders[0]} leads with {percent} % of {votes}."
