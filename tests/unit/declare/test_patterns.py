"""The table of patterns, held against one that asks of every topic there is."""

import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_wamp.declare.patterns import Patterns
from flask_wamp.uris import uri_matches

from ...properties import SETTINGS

Table = dict[tuple[str, str], bool]

#: What tables are made of; topics have these words and some that nobody thought of.
WORDS = ["a", "ab", "b"]
TOPICS = [
    ".".join(words)
    for length in range(1, 5)
    for words in itertools.product([*WORDS, "az", "abz", "bz", "z"], repeat=length)
]

uris = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(".".join)
prefixes = st.one_of(uris, uris.map(lambda uri: f"{uri}."))
wildcards = (
    st.lists(st.sampled_from([*WORDS, ""]), min_size=2, max_size=3)
    .filter(lambda words: "" in words and any(words))
    .map(".".join)
)
keys = st.one_of(
    st.tuples(uris, st.just("exact")),
    st.tuples(prefixes, st.just("prefix")),
    st.tuples(wildcards, st.just("wildcard")),
)
tables = st.dictionaries(keys, st.booleans().map(lambda no: not no), max_size=8)
patterns = st.one_of(
    st.tuples(st.one_of(prefixes, st.just("")), st.just("prefix")),
    st.tuples(st.one_of(wildcards, uris, st.sampled_from([".", ".."])), st.just("wildcard")),
)


def made_of(table: Table) -> Patterns[bool]:
    """Return the table as it is looked up."""
    found: Patterns[bool] = Patterns()
    for (uri, match), allowed in table.items():
        found.add(uri, match, allowed)
    return found


def asked(table: Table, topic: str) -> bool:
    """Tell whether *topic* is allowed: the exact URI, the longest prefix, all wildcards."""
    if (topic, "exact") in table:
        return table[topic, "exact"]
    found = [uri for uri, match in table if match == "prefix" and topic.startswith(uri)]
    if found:
        return table[max(found, key=len), "prefix"]
    wild = [
        allowed
        for (uri, match), allowed in table.items()
        if match == "wildcard" and uri_matches(topic, uri, match)
    ]
    return bool(wild) and all(wild)


@SETTINGS
@given(table=tables, topic=st.sampled_from(TOPICS))
def test_patterns_the_most_specific_decides(table: Table, topic: str) -> None:
    found = made_of(table).deciding(topic)
    assert (bool(found) and all(found)) is asked(table, topic)


@pytest.mark.slow
@settings(SETTINGS, max_examples=500)
@given(table=tables, pattern=patterns)
@example(table={("a.", "prefix"): True, ("a.ab", "exact"): False}, pattern=("a.", "prefix"))
@example(table={("a.", "prefix"): True, ("a.b.", "prefix"): False}, pattern=("a.", "prefix"))
@example(table={("a.", "prefix"): True, ("a", "exact"): False}, pattern=("a.", "prefix"))
@example(table={("a.b", "exact"): True}, pattern=("a.b", "prefix"))
@example(table={(".a", "wildcard"): True}, pattern=(".a", "wildcard"))
@example(table={(".a", "wildcard"): True, ("b.a", "exact"): False}, pattern=(".a", "wildcard"))
@example(table={(".a", "wildcard"): True, ("b.", "prefix"): False}, pattern=(".a", "wildcard"))
@example(table={(".a", "wildcard"): True, ("b.", "wildcard"): False}, pattern=(".a", "wildcard"))
@example(table={("a.", "prefix"): False, ("a.b.", "prefix"): True}, pattern=("a.b.", "wildcard"))
@example(table={(".b", "wildcard"): True, ("a.b.a", "prefix"): False}, pattern=(".b", "wildcard"))
@example(
    table={(".b", "wildcard"): True, ("a.b", "prefix"): False, ("a.b", "exact"): True},
    pattern=(".b", "wildcard"),
)
@example(
    table={(".b.", "wildcard"): True, ("a.", "prefix"): False, ("a.b.", "prefix"): True},
    pattern=(".b.", "wildcard"),
)
@example(table={("", "prefix"): True}, pattern=("..", "wildcard"))
def test_patterns_a_subscription_sees_what_the_role_may_and_no_more(
    table: Table, pattern: tuple[str, str]
) -> None:
    matching = [topic for topic in TOPICS if uri_matches(topic, *pattern)]
    assert made_of(table).all_matching(*pattern, bool) is all(
        asked(table, topic) for topic in matching
    )


@pytest.mark.parametrize("match", ["regex", "", "Prefix", "exact"])
def test_patterns_what_nobody_knows_is_not_allowed(match: str) -> None:
    table = made_of({("a", "prefix"): True, ("a", "exact"): True})
    assert table.all_matching("a", match, bool) is False


def uris_of_a_large_table() -> Iterator[tuple[str, str]]:
    """Yield 30,000 URIs, of each kind a third."""
    for number in range(10_000):
        yield f"com.shop.item{number}.sold", "exact"
        yield f"com.shop.area{number}.", "prefix"
        yield f"com.wild.area{number}..sold", "wildcard"


@pytest.mark.slow
def test_patterns_of_a_large_table_are_looked_up_and_not_searched() -> None:
    """A search of 30,000 takes some milliseconds; a thousand of those are some seconds."""
    table = made_of(dict.fromkeys(uris_of_a_large_table(), True))
    table.all_matching("com.", "prefix", bool)
    begin = time.process_time()
    for number in range(1000):
        assert table.deciding(f"com.shop.item{number}.sold")
        assert table.deciding(f"com.shop.area{number}.x")
        assert not table.deciding(f"com.other{number}")
        assert not table.all_matching(f"com.other{number}.", "prefix", bool)
        assert table.all_matching(f"com.shop.area{number}.", "prefix", bool)
    assert time.process_time() - begin < 1
