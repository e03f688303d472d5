"""A program for the tests: many votes at once in one process, over one of the two ways in.

``python -m tests.app.voters DATABASE (http|wamp) COUNT`` says "ready", votes once a line comes in,
and prints the totals that the votes were answered with and the totals that were published.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask_app import create_app
from flask_wamp.state import state_of

from .conftest import RecordingLink, caller


def main(database: str, way: str, count: int) -> None:
    """Vote *count* times, from as many threads."""
    app = create_app({"DATABASE": database})
    link = RecordingLink()
    state_of(app).slot.attach(link)
    call = caller(app)
    barrier = threading.Barrier(count)

    def vote(number: int) -> int:
        choice = 1 + number % 4
        barrier.wait()
        answer: Any
        if way == "http":
            answer = app.test_client().post("/polls/1/votes", json={"choice": choice}).get_json()
        else:
            answer = call("com.example.polls.vote", poll_id=1, choice=choice)
        total: int = answer["total"]
        return total

    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    with ThreadPoolExecutor(count) as threads:
        totals = list(threads.map(vote, range(count)))
    published = [event["total"] for event in link.events("com.example.polls.1.results")]
    print(json.dumps({"totals": totals, "published": published}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
