"""The options of calls and publishes, and what is refused of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from flask_wamp import OptionError
from flask_wamp.call.options import OF_CALLS, OF_PUBLISHES, Options
from flask_wamp.config import MAX_TIMEOUT, check_timeout

NONE = Options()
SECONDS = "give a number of seconds above 0 and up to 86400, as in 10"
FLAG = "give True or False"
SESSIONS = "give a list of session ids, as in [7, 8]"
NAMES = "give a list of names, as in ['alice', 'bob']"
NO_SECONDS: list[Any] = ["5", 0, -1, True, MAX_TIMEOUT + 1, [], 1j]
NO_MODES: list[Any] = ["KILL", "", True, 1, ["kill"], {}]
FLAGS = ("disclose_me", "acknowledge", "exclude_me", "retain")
ID_LISTS = ("exclude", "eligible")
NAME_LISTS = ("exclude_authid", "exclude_authrole", "eligible_authid", "eligible_authrole")


def refused(options: Options = NONE, /, **given: Any) -> str:
    """Return the text with which *given* is refused."""
    with pytest.raises(OptionError) as caught:
        options.updated(given)
    return str(caught.value)


def numbers() -> Iterator[int]:
    """Yield session ids."""
    yield 7
    yield 8


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("timeout", 5, 5.0),
        ("timeout", 0.01, 0.01),
        ("timeout", MAX_TIMEOUT, 86400.0),
        *(("cancel_mode", mode, mode) for mode in ("killnowait", "kill", "skip")),
        *((name, value, value) for name in FLAGS for value in (True, False)),
        ("exclude", [], ()),
        ("exclude", [7, 8], (7, 8)),
        ("exclude", {7}, (7,)),
        ("eligible", numbers(), (7, 8)),
        ("exclude_authid", [], ()),
        *((name, ["a", "b"], ("a", "b")) for name in NAME_LISTS),
        ("eligible_authrole", ("backend",), ("backend",)),
    ],
)
def test_options_are_kept(name: str, given: Any, kept: Any) -> None:
    options = NONE.updated({name: given})
    value = getattr(options, name)
    assert value == kept
    assert type(value) is type(kept)
    assert options == Options(**{name: kept})


@pytest.mark.parametrize(
    ("name", "given", "remedy"),
    [
        *(("timeout", value, SECONDS) for value in NO_SECONDS),
        *(("timeout", float(value), SECONDS) for value in ("nan", "inf", "-inf")),
        *(("cancel_mode", value, "give one of 'killnowait', 'kill', 'skip'") for value in NO_MODES),
        *((name, value, FLAG) for name in FLAGS for value in (1, 0, "true", "", [True])),
        *(
            (name, value, SESSIONS)
            for name in ID_LISTS
            for value in (7, "7", b"7", [True], ["7"], [None], [7.0], {7: 8}, object)
        ),
        *(
            (name, value, NAMES)
            for name in NAME_LISTS
            for value in ("alice", b"alice", 7, [7], ["a", None], [b"a"], {"a": 1})
        ),
    ],
)
def test_options_of_another_type_are_refused_with_a_remedy(
    name: str, given: Any, remedy: str
) -> None:
    assert refused(**{name: given}) == f"with_options({name}={given!r}): {remedy}"


@pytest.mark.parametrize("name", ["eligible", "eligible_authid", "eligible_authrole"])
@pytest.mark.parametrize("empty", [[], (), set()])
def test_options_that_let_nobody_have_an_event_are_refused(name: str, empty: Any) -> None:
    """The router takes an empty list for everybody."""
    text = refused(**{name: empty})
    assert text.startswith(f"with_options({name}={empty!r}): give a list of ")
    assert text.endswith("with an entry at least: nobody would get the event")


def test_options_unknown_name_lists_all_there_are() -> None:
    text = refused(time_out=5)
    assert text.startswith("with_options(time_out=...): there is no such option; there are ")
    names = text.rpartition("there are ")[2].split(", ")
    assert set(names) == {field for field in Options.__slots__ if not field.startswith("_")}
    assert names == sorted(names)


def test_options_are_all_of_calls_or_of_publishes() -> None:
    assert set(Options.__slots__) == OF_CALLS | OF_PUBLISHES
    assert {"timeout", "disclose_me"} == OF_CALLS & OF_PUBLISHES


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, [7]) for name in ID_LISTS), *((name, ["a"]) for name in NAME_LISTS)],
)
@pytest.mark.parametrize("together", [True, False])
def test_options_retained_event_for_chosen_receivers_is_refused(
    name: str, value: Any, together: bool
) -> None:
    """Also where one of the two was given before."""
    if together:
        text = refused(**{"retain": True, name: value})
    else:
        text = refused(NONE.updated({name: value}), retain=True)
        assert refused(NONE.updated({"retain": True}), **{name: value}) == text
    assert text.startswith(f"with_options(retain=True, {name}=...): ")
    assert "publish it without a choice of receivers" in text


def test_options_that_choose_nobody_go_with_retain() -> None:
    options = NONE.updated({"retain": True, "exclude": [], "exclude_me": True})
    assert (options.retain, options.exclude) == (True, ())
    assert NONE.updated({"retain": False, "exclude": [7]}).exclude == (7,)


def test_options_are_added_to_those_before() -> None:
    before = NONE.updated({"timeout": 5, "disclose_me": True})
    after = before.updated({"timeout": 6, "exclude_me": True})
    assert after == Options(timeout=6.0, disclose_me=True, exclude_me=True)
    assert before == Options(timeout=5.0, disclose_me=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 5),
        ("cancel_mode", "kill"),
        *((name, True) for name in FLAGS),
        *((name, [7]) for name in ID_LISTS),
        *((name, ["a"]) for name in NAME_LISTS),
    ],
)
def test_options_none_takes_one_back(name: str, value: Any) -> None:
    assert NONE.updated({name: value}) != NONE
    assert NONE.updated({name: value}).updated({name: None}) == NONE


def test_options_taking_one_back_makes_room_for_another() -> None:
    receivers = NONE.updated({"eligible": [7]})
    assert receivers.updated({"eligible": None, "retain": True}) == Options(retain=True)


def test_options_refused_leave_nothing_behind() -> None:
    before = NONE.updated({"timeout": 5})
    refused(before, disclose_me=True, retain="yes")
    assert before == Options(timeout=5.0)


@pytest.mark.parametrize("name", sorted(OF_PUBLISHES - OF_CALLS))
def test_options_of_publishes_are_refused_for_calls(name: str) -> None:
    value: Any = [7] if name in ID_LISTS else ["a"] if name in NAME_LISTS else True
    options = NONE.updated({name: value})
    with pytest.raises(OptionError) as caught:
        options.refuse_others("call", OF_CALLS)
    assert str(caught.value) == (
        f"with_options({name}=...).call(): {name} is no option of call, which takes "
        "cancel_mode, disclose_me, timeout"
    )
    options.refuse_others("publish", OF_PUBLISHES)


def test_options_of_calls_are_refused_for_publishes() -> None:
    options = NONE.updated({"cancel_mode": "kill"})
    with pytest.raises(OptionError, match=r"with_options\(cancel_mode=\.\.\.\)\.publish\(\)"):
        options.refuse_others("publish", OF_PUBLISHES)
    options.refuse_others("call", OF_CALLS)


def test_options_false_is_an_option_that_was_given() -> None:
    with pytest.raises(OptionError, match="retain is no option of call"):
        NONE.updated({"retain": False}).refuse_others("call", OF_CALLS)


def test_options_of_both_are_refused_for_neither() -> None:
    both = NONE.updated({"timeout": 5, "disclose_me": False})
    both.refuse_others("call", OF_CALLS)
    both.refuse_others("publish", OF_PUBLISHES)


@pytest.mark.parametrize("value", [None, "5", 0, True])
def test_options_seconds_are_checked_elsewhere_too(value: Any) -> None:
    with pytest.raises(ValueError, match="above 0 and up to 86400"):
        check_timeout(value)
    assert check_timeout(1) == 1.0
