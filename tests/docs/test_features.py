"""The table of features: none is left out, and the tests that it names are there."""

import re

import pytest

from .tables import is_there, rows_of

FOUND = rows_of("wamp-features.md")
ROWS = {name.strip("`"): (spelling, test) for name, spelling, test in FOUND}

#: What the WAMP specification has, by its own names where there are such.
FEATURES = """
    register, unregister, call, several results, errors
    progressive_call_results, progressive_call_invocations, call_canceling, call_timeout
    caller_identification, call_trustlevels, pattern_based_registration, shared_registration
    sharded_registration, call_rerouting, registration_meta_api, registration_revocation
    procedure_reflection
    subscribe, unsubscribe, publish, acknowledged publish, order of events
    subscriber_blackwhite_listing, publisher_exclusion, publisher_identification
    publication_trustlevels, pattern_based_subscription, sharded_subscription, event_retention
    event_history, subscription_meta_api, subscription_revocation, topic_reflection
    acknowledge_event_received
    realms, session_meta_api, testament_meta_api, session resumption, payload_passthru_mode
    JSON, MessagePack, CBOR, batched serializers, bytes in JSON
    WebSocket, RawSocket over TCP and TLS, RawSocket over a Unix socket, long-poll
    multiplexed transport, router-to-router links
    anonymous, ticket, WAMP-CRA, SCRAM, cryptosign, TLS certificates, cookies, authorization
"""
#: What the router lacks; one that it has now is to be spelled, and tested.
LACKING = """
    progressive_call_invocations, call_trustlevels, sharded_registration, call_rerouting
    procedure_reflection, publication_trustlevels, sharded_subscription, topic_reflection
    acknowledge_event_received, session resumption, multiplexed transport
"""


def names(listed: str) -> set[str]:
    """Return the names of a list."""
    return {name.strip() for name in re.split(r"[,\n]", listed) if name.strip()}


def test_no_feature_is_left_out() -> None:
    assert names(FEATURES) - ROWS.keys() == set()
    assert len(FOUND) == len(ROWS)


@pytest.mark.parametrize("feature", ROWS)
def test_feature_names_a_test_that_is_there(feature: str) -> None:
    spelling, test = ROWS[feature]
    if test == "—":
        excuses = "Crossbar.io 26.10.1", "configuration"
        assert any(excuse in spelling for excuse in excuses)
        return
    assert is_there(test)


def test_what_the_router_lacks_is_marked() -> None:
    marked = {
        feature
        for feature, (spelling, _test) in ROWS.items()
        if "not at all: Crossbar.io 26.10.1 lacks it" in spelling
    }
    assert marked == names(LACKING)
