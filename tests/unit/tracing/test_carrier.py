"""The text that ids travel in, and what others may write there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_wamp.tracing.carrier import (
    MAX_ID,
    MAX_TEXT,
    NOTHING,
    Carried,
    is_id,
    is_traceparent,
    pack,
    unpack,
    untrusted,
)

from ...properties import SETTINGS

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
IDS = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)


def test_carrier_without_parts_is_nothing() -> None:
    assert pack() is None
    assert unpack(None) == NOTHING == Carried(None, None, None, None)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"stream": "s1"}, "fw1;s=s1"),
        ({"event_id": "e1"}, "fw1;e=e1"),
        ({"correlation": "c1"}, "fw1;c=c1"),
        ({"traceparent": PARENT}, f"fw1;t={PARENT}"),
        (
            {"stream": "s1", "event_id": "e1", "correlation": "c1", "traceparent": PARENT},
            f"fw1;e=e1;s=s1;c=c1;t={PARENT}",
        ),
    ],
)
def test_carrier_has_this_form(parts: dict[str, str], text: str) -> None:
    assert pack(**parts) == text
    assert unpack(text) == Carried(**parts)


@SETTINGS
@given(st.none() | IDS, st.none() | IDS, st.none() | IDS, st.sampled_from([None, PARENT]))
def test_carrier_brings_what_was_packed(
    stream: str | None, event_id: str | None, correlation: str | None, traceparent: str | None
) -> None:
    text = pack(stream, event_id, correlation, traceparent)
    assert unpack(text) == Carried(stream, event_id, correlation, traceparent)
    assert text is None or len(text) <= MAX_TEXT


@SETTINGS
@given(st.text(max_size=600))
def test_carrier_reads_whatever_others_write(text: str) -> None:
    for found in (unpack(text), unpack("fw1;" + text)):
        assert found.event_id is None or is_id(found.event_id)
        assert found.correlation is None or is_id(found.correlation)
        assert found.traceparent is None or is_traceparent(found.traceparent)
        assert found.stream is None or len(found.stream) <= MAX_ID


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Carried(stream="")),
        ("token", Carried(stream="token")),
        ("x" * MAX_ID, Carried(stream="x" * MAX_ID)),
        ("x" * (MAX_ID + 1), NOTHING),
        ("fw2;c=c1", Carried(stream="fw2;c=c1")),
        ("fw1", NOTHING),
        ("fw1;", NOTHING),
        ("fw1;c=c1;c=c2", Carried(correlation="c1")),
        ("fw1;c=c 1;s=s1", Carried(stream="s1")),
        ("fw1;c=c\n;s=s1", Carried(stream="s1")),
        ("fw1;c=größe;s=s1", Carried(stream="s1")),
        ("fw1;c=", NOTHING),
        ("fw1;c", NOTHING),
        ("fw1;c==", NOTHING),
        ("fw1;c=" + "x" * (MAX_ID + 1), NOTHING),
        ("fw1;z=new;c=c1", Carried(correlation="c1")),
        (f"fw1;t={PARENT}x;c=c1", Carried(correlation="c1")),
        ("fw1;c=c1;" + "x" * MAX_TEXT, NOTHING),
    ],
)
def test_carrier_reads_each_part_alone(text: str, found: Carried) -> None:
    assert unpack(text) == found


@pytest.mark.parametrize("part", ["", "a b", "a;b", "a=b", "ä", "a\n", "x" * (MAX_ID + 1)])
@pytest.mark.parametrize("name", ["stream", "event_id", "correlation"])
def test_carrier_packs_ids_alone(name: str, part: str) -> None:
    with pytest.raises(ValueError, match="is no id of 1 to 64"):
        pack(**{name: part})


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),
        PARENT + "-00",
        "01" + PARENT[2:],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
    ],
)
def test_carrier_packs_a_traceparent_alone(parent: str) -> None:
    assert not is_traceparent(parent)
    with pytest.raises(ValueError, match="is no traceparent"):
        pack(traceparent=parent)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"fw1;e=e1;s=s1;c=c1;t={PARENT}", "fw1;s=s1"),
        ("fw1;c=c1", None),
        ("fw1;", None),
        ("fw1;s=s 1", None),
        ("token of another program", "token of another program"),
        ("", ""),
    ],
)
def test_carrier_of_a_stranger_names_a_stream_at_most(text: str, left: str | None) -> None:
    assert untrusted(text) == left
    assert unpack(left)[1:] == (None, None, None)
