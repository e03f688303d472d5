"""What a caller gets where a view does not answer."""

import pytest
from flask import g

from flask_wamp import NotAuthorized, RemoteError
from flask_wamp.node import CrossbarNode

from .support import MakeApp, Peer, error_of, http, wait_until

pytestmark = pytest.mark.node

#: The documented table, and statuses that it leaves to their class.
URIS = {
    400: "wamp.error.invalid_argument",
    401: "wamp.error.not_authorized",
    403: "wamp.error.not_authorized",
    404: "wamp.error.not_found",
    405: "wamp.error.method_not_allowed",
    408: "wamp.error.timeout",
    409: "wamp.error.conflict",
    410: "wamp.error.not_found",
    412: "wamp.error.precondition_failed",
    413: "wamp.error.payload_size_exceeded",
    415: "wamp.error.invalid_argument",
    418: "wamp.error.invalid_argument",
    422: "wamp.error.invalid_argument",
    429: "wamp.error.too_many_requests",
    500: "wamp.error.runtime_error",
    501: "wamp.error.not_implemented",
    502: "wamp.error.runtime_error",
    503: "wamp.error.unavailable",
    504: "wamp.error.timeout",
}


@pytest.mark.parametrize("status", URIS)
def test_http_exception_travels_by_the_table(anonymous: Peer, status: int) -> None:
    error = error_of(lambda: anonymous.call("com.test.abort", status))
    assert error.error == URIS[status]
    assert error.kwargs["status"] == status
    assert error.kwargs["description"] == f"refused with {status}"


@pytest.mark.parametrize("status", [400, 404, 409, 418, 422, 500, 503])
def test_returned_status_travels_by_the_table(anonymous: Peer, status: int) -> None:
    error = error_of(lambda: anonymous.call("com.test.status", status))
    assert error.error == URIS[status]
    assert error.kwargs["status"] == status


def test_returned_status_of_success_is_left_out(anonymous: Peer) -> None:
    assert anonymous.call("com.test.status", 201) == {"status": 201}


def test_defect_is_generic_with_an_id_that_the_log_has(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    error = error_of(lambda: anonymous.call("com.test.fail"))
    assert error.error == "wamp.error.runtime_error"
    error_id = error.kwargs["id"]
    assert error_id in error.args[0]
    told = repr((error.args, error.kwargs))
    assert "secret" not in told
    assert "Traceback" not in told
    assert set(error.kwargs) == {"id"}
    wait_until(
        lambda: "ValueError: a secret of the service" in peers_node.log.partition(error_id)[2],
        "the log has the defect under its id",
    )
    assert "Traceback" in peers_node.log.partition(error_id)[2]


def test_exit_of_a_view_answers_the_call_and_ends_nothing(anonymous: Peer) -> None:
    pid = anonymous.call("com.test.pid")
    error = error_of(lambda: anonymous.call("com.test.exit"))
    assert error.error == "wamp.error.runtime_error"
    assert anonymous.call("com.test.pid") == pid


def test_mapped_exception_travels_under_its_uri(anonymous: Peer) -> None:
    error = error_of(lambda: anonymous.call("com.test.take", "tea", wanted=2))
    assert error.error == "com.test.error.no_stock"
    assert error.args == ("tea",)
    assert error.kwargs == {"wanted": 2}


def test_mapped_exception_is_raised_again_in_both_directions(anonymous: Peer) -> None:
    assert anonymous.call("com.test.buy", "tea") == {
        "item": "tea",
        "wanted": 3,
        "text": "tea: 3 are too many",
    }
    assert anonymous.call("com.other.buy", "salt") == {
        "item": "salt",
        "wanted": 7,
        "text": "salt: 7 are too many",
    }


def test_mapped_exception_passes_through_a_service_that_knows_it(anonymous: Peer) -> None:
    error = error_of(lambda: anonymous.call("com.other.take_unnoticed", "oil"))
    assert (error.error, error.args, error.kwargs) == (
        "com.test.error.no_stock",
        ("oil",),
        {"wanted": 9},
    )


def test_mapped_exception_is_a_remote_error_where_it_is_not_known(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context(), pytest.raises(RemoteError) as raised:
        g.wampy.call("com.test.take", "tea", wanted=2)
    assert raised.value.uri == "com.test.error.no_stock"
    assert raised.value.args == ("tea",)
    assert raised.value.kwargs == {"wanted": 2}


def test_foreign_error_of_a_peer_reaches_a_view_whole(
    peers_node: CrossbarNode, trusted: Peer
) -> None:
    def refuse() -> None:
        raise ValueError("not today")

    trusted.register("com.peer.refuse", refuse)
    answer = http(peers_node.url + "wampy", {"call": "com.peer.refuse"})
    assert answer.status == 502
    assert answer.json["error"] == "wamp.error.runtime_error"
    assert "not today" in answer.json["text"]


def test_not_authorized_call_raises_in_a_view(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    with app.app_context(), pytest.raises(NotAuthorized):
        g.wampy.call("wamp.session.list")


def test_malformed_uri_is_refused_before_anything_is_sent(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context(), pytest.raises(ValueError, match="is not a URI"):
        g.wampy.call("com..test")
