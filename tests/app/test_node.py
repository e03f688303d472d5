"""The application in its node: votes over HTTP and WAMP at once, and what it refuses."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from tests.node.support import http, wait_until
from tests.people import Person

from .conftest import SEASONS, program

LIMIT = 60.0


def post(url: str, **body: object) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=LIMIT) as response:
        return json.load(response)


@pytest.mark.node
def test_two_hundred_votes_over_http_and_wamp_at_once(crossbar_node: CrossbarNode) -> None:
    """A hundred of each; every one is counted, answered and published once."""
    url = crossbar_node.url
    poll = Person(url).create("Which season?", *SEASONS)
    choices = [choice["id"] for choice in poll["choices"]]

    def vote_over_http(_number: int) -> int:
        total: int = post(f"{url}polls/{poll['id']}/votes", choice=choices[0])["total"]
        return total

    with program("wamp_voters", crossbar_node.backend_url, 100, poll["id"], *choices) as voters:
        assert voters.stdout is not None
        assert voters.stdin is not None
        said_ready = voters.stdout.readline()
        with ThreadPoolExecutor(100) as threads:
            voters.stdin.write("go\n")
            voters.stdin.flush()
            over_http = list(threads.map(vote_over_http, range(100)))
        out, errors = voters.communicate(timeout=LIMIT)

    assert (said_ready, errors, voters.returncode) == ("ready\n", "", 0)
    said = json.loads(out)
    everyone = list(range(1, 201))
    assert len(over_http) == len(said["totals"]) == 100
    assert sorted(over_http + said["totals"]) == everyone
    assert said["complete"]
    assert sorted(said["published"]) == everyone
    assert said["refused"] == {
        "unknown": ["wamp.error.not_found", "There is no poll 1000000."],
        "create": ["wamp.error.not_authorized", "Log in first."],
        "close": ["wamp.error.not_authorized", "Log in first."],
    }
    # Of the calls 25 went to each choice, and all of the requests to the first.
    text = "Spring leads with 63 % of 200 votes."
    assert said["summary"] == {"poll": poll["id"], "text": text, "votes_seen": 200}


@pytest.mark.node
def test_node_that_has_started_is_ready(crossbar_node: CrossbarNode) -> None:
    # A look that a busy machine gives no answer within its second says that.
    ready = {"ready": True, "missing": [], "detail": {}}
    wait_until(lambda: http(f"{crossbar_node.url}readyz").json == ready, "it says so")
