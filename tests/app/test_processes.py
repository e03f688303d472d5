"""The application in several processes at once, and in one that finds no router."""

import json
import re
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from flask_app import db, polls
from flask_wamp.node import free_port

from .conftest import program

LIMIT = 60.0


def vote_at_once(database: Path, *voters: tuple[str, int]) -> list[dict[str, Any]]:
    """Let processes vote, ``("http", 100)`` each, from the same moment on; return their words."""
    with ExitStack() as stack:
        processes = [stack.enter_context(program("voters", database, *voter)) for voter in voters]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        words = []
        for process in processes:
            out, errors = process.communicate(timeout=LIMIT)
            assert (process.returncode, errors) == (0, "")
            words.append(json.loads(out))
        return words


@pytest.mark.slow
def test_two_hundred_votes_of_two_processes_at_once(database: Path) -> None:
    """Over HTTP in one and over WAMP in the other; the database is new to both."""
    over_http, over_wamp = vote_at_once(database, ("http", 100), ("wamp", 100))

    everyone = set(range(1, 201))
    assert len(over_http["totals"]) == len(over_wamp["totals"]) == 100
    assert {*over_http["totals"], *over_wamp["totals"]} == everyone
    assert {*over_http["published"], *over_wamp["published"]} == everyone
    assert len(over_http["published"]) == len(over_wamp["published"]) == 100
    with closing(db.connect(database)) as connection:
        stand = polls.results(connection, 1)
    assert stand["total"] == 200
    assert [choice["votes"] for choice in stand["choices"]] == [50, 50, 50, 50]


@pytest.mark.slow
def test_new_database_opened_by_several_processes_at_once(database: Path) -> None:
    words = vote_at_once(database, *[("http", 1)] * 3, *[("wamp", 1)] * 3)

    assert sorted(total for word in words for total in word["totals"]) == [1, 2, 3, 4, 5, 6]
    with closing(db.connect(database)) as connection:
        assert polls.newest(connection) == 1
        assert len(polls.results(connection, 1)["choices"]) == 4
        assert polls.results(connection, 1)["total"] == 6


@pytest.mark.slow
def test_process_without_a_router_counts_and_warns(database: Path) -> None:
    with program("without_router", database, free_port()) as process:
        out, log = process.communicate(timeout=LIMIT)

    assert process.returncode == 0, log
    said = json.loads(out)
    assert said["vote"] == [200, 1]
    status, page = said["page"]
    assert status == 200
    assert "<strong data-total>1</strong>" in page
    assert '<span id="summary"></span>' in page
    assert said["summary"] == [503, {"error": "The summary service does not answer right now."}]
    warned = re.findall(r"Nothing published to (\S+): not connected to ws://127", log)
    assert warned == ["com.example.polls.1.results", "com.example.polls.voted"]
    assert "Traceback" not in log
