"""A program for the tests: a Flask application that votes over WAMP, at a node that runs.

``python -m tests.app.wamp_voters URL COUNT POLL CHOICE...`` tries what the node has to refuse, says "ready", votes
once a line comes in, and prints what it saw when all votes, its own and others', are published.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, g

from flask_wamp import WAMP, RemoteError

LIMIT = 60.0

app = Flask(__name__)
app.config["WAMP_TIMEOUT"] = LIMIT
wamp = WAMP()
published: list[int] = []
all_published = threading.Event()


def follow(total: int, **_results: Any) -> None:
    """Keep the totals; one process's may overtake another's."""
    published.append(total)
    if len(published) == 200:
        all_published.set()


def refusal(uri: str, **arguments: object) -> list[object]:
    """Return URI and text of the error that a call is answered with."""
    try:
        return ["answered", g.wampy.call(uri, **arguments)]
    except RemoteError as error:
        return [error.uri, error.args[0]]


def vote(poll: int, choice: int) -> int:
    """Vote, and return the total with the vote."""
    with app.app_context():
        total: int = g.wampy.call("com.example.polls.vote", poll_id=poll, choice=choice)["total"]
        return total


def summary_of_all(poll: int) -> dict[str, Any]:
    """Return the summary once the service has seen every vote, or the last one at the limit."""
    deadline = time.monotonic() + LIMIT
    while True:
        with app.app_context():
            summary: dict[str, Any] = g.wampy.call("com.example.polls.summary", poll_id=poll)
        if summary["votes_seen"] >= 200 or time.monotonic() > deadline:
            return summary


def main(url: str, count: int, poll: int, *choices: int) -> None:
    """Vote *count* times in *poll*, from as many threads, for one of *choices* after the other."""
    app.config["WAMP_URL"] = url
    wamp.consume(topic=f"com.example.polls.{poll}.results")(follow)
    wamp.init_app(app)
    wamp.start(app)
    with app.app_context():
        refused = {
            "unknown": refusal("com.example.polls.vote", poll_id=1_000_000, choice=1),
            "create": refusal("com.example.polls.create", question="?", choices=["a", "b"]),
            "close": refusal("com.example.polls.close", poll_id=poll),
        }
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    with ThreadPoolExecutor(count) as threads:
        voted_for = [choices[number % len(choices)] for number in range(count)]
        totals = list(threads.map(vote, [poll] * count, voted_for))
    complete = all_published.wait(LIMIT)
    summary = summary_of_all(poll)
    wamp.stop(app)
    print(  # noqa: T201
        json.dumps(
            {
                "refused": refused,
                "totals": totals,
                "published": published,
                "complete": complete,
                "summary": summary,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
