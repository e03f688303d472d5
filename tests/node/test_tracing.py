"""One id from an HTTP request to what it leads to in other processes, and in the node's log."""

import json
import re
import urllib.request
from functools import partial

import pytest
from autobahn.wamp.types import CallOptions, PublishOptions
from flask import g

from flask_wamp import correlated, correlation_id
from flask_wamp.node import CrossbarNode

from .support import MakeApp, Peer, error_of, on_reactor, wait_until

pytestmark = pytest.mark.node


def logged(node: CrossbarNode, text: str, since: int) -> list[str]:
    """Return the lines of the node's log with *text*, without time and process."""
    lines = node.log[since:].splitlines()
    return [re.sub(r"^\S+ \[[^]]*\] ", "", line) for line in lines if text in line]


def handled(peer: Peer, correlation: str) -> bool:
    """Tell whether the handler has had an event with this id."""
    return correlation in peer.call("com.test.seen", "traced")


def test_tracing_from_a_request_to_its_handler_and_in_the_log(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    since, sent = len(peers_node.log), name.replace(" ", "-")
    request = urllib.request.Request(f"{peers_node.url}traced", headers={"X-Request-ID": sent})
    with urllib.request.urlopen(request) as response:
        assert response.headers["X-Request-ID"] == sent
        assert json.load(response) == {"page": sent, "view": sent}
    wait_until(lambda: handled(anonymous, sent), "the event handled")
    begin = f"[{sent}] tests.node.apps.service: traced: "
    lines = wait_until(
        lambda: (found := logged(peers_node, begin, since))[2:] and found, "all of it logged"
    )
    # Two processes have written them, and a third one both of theirs into one file.
    assert sorted(lines) == sorted(f"{begin}the {who}" for who in ("page", "view", "handler"))


def test_tracing_begins_with_a_request(peers_node: CrossbarNode) -> None:
    with urllib.request.urlopen(f"{peers_node.url}traced") as response:
        found = json.load(response)
        made = response.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert found == {"page": made, "view": made}


def test_tracing_from_a_script_and_back(make_app: MakeApp, trusted: Peer, name: str) -> None:
    app, wamp = make_app()
    chosen, seen = name.replace(" ", "-"), []

    @wamp.callee("com.here.traced")
    def traced() -> str | None:
        seen.append(correlation_id())
        return correlation_id()

    wamp.start(app)
    with app.app_context(), correlated(chosen):
        assert g.wampy.call("com.test.traced") == chosen
        assert g.wampy.start_call("com.test.traced").result() == chosen
        assert g.wampy.call("com.test.call", "com.here.traced") == chosen
    assert seen == [chosen]
    wait_until(lambda: handled(trusted, chosen), "the event handled")


@pytest.mark.parametrize("text", ["fw1;c=a-stranger", "fw1;s=s1;c=a-stranger"])
def test_tracing_takes_no_id_of_a_page(anonymous: Peer, trusted: Peer, text: str) -> None:
    for peer, is_service in ((anonymous, False), (trusted, True)):
        calls = partial(peer.session.call, options=CallOptions(transaction_hash=text))
        found = on_reactor(partial(calls, "com.test.traced"))
        assert (found == "a-stranger") is is_service
    before = len(trusted.call("com.test.seen", "traced"))
    options = PublishOptions(acknowledge=True, transaction_hash="fw1;c=another-stranger")
    on_reactor(lambda: anonymous.session.publish("com.test.topic.traced", options=options))
    wait_until(lambda: len(trusted.call("com.test.seen", "traced")) > before, "the event handled")
    assert "another-stranger" not in trusted.call("com.test.seen", "traced")


def test_tracing_logs_a_line_whatever_was_sent(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    since = len(peers_node.log)
    sent = f"{name}\n2026-01-01T00:00:00+0000 [Router 1] forged\x1b[31m {{braces}}"
    failure = error_of(lambda: anonymous.call("com.test.logs", sent))
    assert failure.error == "wamp.error.runtime_error"
    wait_until(lambda: f"LookupError: {name}" in peers_node.log[since:], "the traceback logged")
    (line,) = logged(peers_node, f"logged: {name}", since)
    escaped = sent.replace("\n", "\\n").replace("\x1b", "\\x1b")
    assert re.fullmatch(
        rf"\[[0-9a-f]{{16}}\] tests\.node\.apps\.service: {re.escape(f'logged: {escaped}')}", line
    )
    forged = [text for text in peers_node.log[since:].splitlines() if "[Router 1] forged" in text]
    assert all("logged: " in text or text.startswith("    ") for text in forged)
