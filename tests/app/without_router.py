"""A program for the tests: the application in a process that finds no router.

``python -m tests.app.without_router DATABASE PORT`` votes and gets the page, and prints what came.
"""

import json
import sys

from flask_app import create_app
from flask_app.extensions import wamp


def main(database: str, port: str) -> None:
    """Vote, and look at the page."""
    app = create_app({"DATABASE": database, "WAMP_URL": f"ws://127.0.0.1:{port}/ws"})
    client = app.test_client()
    vote = client.post("/polls/1/votes", json={"choice": 1})
    page = client.get("/")
    summary = client.get("/polls/1/summary")
    wamp.stop(app)
    print(  # noqa: T201
        json.dumps(
            {
                "vote": [vote.status_code, vote.get_json()["total"]],
                "page": [page.status_code, page.text],
                "summary": [summary.status_code, summary.get_json()],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
