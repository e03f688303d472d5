"""The link slot."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_wamp.call.link import Link
from flask_wamp.results import CallResult, result_value
from flask_wamp.state import LinkSlot

from ..doubles import RecordingLink, run_program


def test_link_slot_makes_a_link_at_the_first_use() -> None:
    slot = LinkSlot()
    link = slot.get(RecordingLink)
    assert slot.link is link
    assert slot.get(RecordingLink) is link


def test_link_slot_uses_what_is_attached() -> None:
    slot = LinkSlot()
    link = RecordingLink()
    slot.attach(link)
    assert slot.get(RecordingLink) is link
    slot.attach(None)
    assert slot.link is None
    assert slot.get(RecordingLink) is not link


def test_link_slot_makes_one_link_for_many_threads() -> None:
    slot = LinkSlot()
    made: list[RecordingLink] = []
    using = threading.Semaphore(0)

    def make() -> Link:
        for _ in range(16):
            assert using.acquire(timeout=30)
        made.append(RecordingLink())
        return made[-1]

    def use(_: int) -> Link:
        using.release()
        return slot.get(make)

    with ThreadPoolExecutor(16) as threads:
        links = set(threads.map(use, range(16)))
    assert links == set(made)
    assert len(made) == 1


def test_link_slot_stays_empty_when_making_fails() -> None:
    slot = LinkSlot()

    def fail() -> Link:
        raise OSError

    for _ in range(2):
        try:
            slot.get(fail)
        except OSError:
            continue
        raise AssertionError("the failure was swallowed")
    assert isinstance(slot.get(RecordingLink), RecordingLink)


@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_link_slot_is_empty_after_a_fork(fork: str) -> None:
    """Whatever thread of the parent held the lock, the child can make a link of its own.

    And whether Python was told of the fork, or not: uWSGI does not tell.
    """
    printed = run_program(
        """
        import ctypes, json, os, sys, threading, warnings
        from flask_wamp.state import LinkSlot

        # Python 3.12 warns of every fork beside threads, which is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        slot, held, attached = LinkSlot(), LinkSlot(), LinkSlot()
        slot.get(lambda: "parent")
        attached.attach("component")
        making, go_on = threading.Event(), threading.Event()

        def make():
            making.set()
            go_on.wait()
            return "parent"

        thread = threading.Thread(target=held.get, args=(make,))
        thread.start()
        making.wait()
        reading, writing = os.pipe()
        child = eval(sys.argv[1])
        if child == 0:
            links = [s.link for s in (slot, held, attached)]
            links += [s.get(lambda: "child") for s in (slot, held, attached)]
            os.write(writing, json.dumps(links).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        go_on.set()
        thread.join()
        in_child = json.loads(os.read(reading, 1000))
        print(json.dumps([in_child, [s.link for s in (slot, held, attached)]]))
        """,
        fork,
    )
    in_child, in_parent = json.loads(printed)
    assert in_child == [None, None, None, "child", "child", "child"]
    assert in_parent == ["parent", "parent", "component"]


def test_link_call_result_is_empty_by_default() -> None:
    assert CallResult() == CallResult((), {})
    assert CallResult((1,)) != CallResult((2,))


# --- what a caller gets for the payload of a result

META = {"procedure_name": "get_todays_date", "session_id": 123}
ORDER = {"items": [{"name": "tea", "price": 1.5, "left": [1, True, None]}], "": {}}


def wampys(value: Any, **more: Any) -> dict[str, Any]:
    """Return the keywords that the Python wampy answers with, and *more*."""
    return {"message": value, "meta": META, **more}


def deep(depth: int) -> list[Any]:
    """Return a list that is nested *depth* deep."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("args", "kwargs", "value"),
    [
        ([], None, None),
        ((), {}, None),
        ([5], None, 5),
        ([[1, 2]], {}, [1, 2]),
        ([1, 2], None, CallResult((1, 2))),
        ([1, 2], {}, CallResult((1, 2))),
        ([], {"a": 1}, CallResult((), {"a": 1})),
        ([1], {"a": 2}, CallResult((1,), {"a": 2})),
    ],
)
def test_link_result_value(args: Any, kwargs: Any, value: Any) -> None:
    assert result_value(args, kwargs) == value


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02",
        "",
        None,
        0,
        True,
        1.5,
        [],
        {},
        ORDER,
        b"x",
        META,
        wampys("in a message"),
        deep(100),
    ],
)
def test_link_result_value_of_wampy(value: Any) -> None:
    copy = json.loads(json.dumps(value)) if value != b"x" else b"x"
    assert result_value([value], wampys(copy)) == value
    # Of nameko-wamp.
    assert result_value([value], wampys(copy, error=None)) == value


def test_link_result_value_of_wampy_deeper_than_the_stack() -> None:
    value = result_value([deep(100_000)], wampys(deep(100_000)))
    assert isinstance(value, list)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param(["x"], {"message": "x"}, id="no meta"),
        pytest.param(["x"], {"meta": META}, id="no message"),
        pytest.param(["x"], wampys("x", more=None), id="one keyword more"),
        pytest.param(["x"], {"message": "x", "metadata": META}, id="another keyword"),
        pytest.param(["x"], wampys("x", error=None, more=1), id="one more than nameko-wamp's"),
        pytest.param(["x"], wampys("x", error="no"), id="an error"),
        pytest.param(["x"], wampys("x", error=False), id="an error that is false"),
        pytest.param(["x"], {"message": "x", "error": None}, id="nameko-wamp's without meta"),
        pytest.param(["x"], wampys("x", meta=None), id="meta is None"),
        pytest.param(["x"], wampys("x", meta=["procedure_name", "session_id"]), id="a list"),
        pytest.param(["x"], wampys("x", meta={}), id="empty meta"),
        pytest.param(["x"], wampys("x", meta={"procedure_name": "f"}), id="no session"),
        pytest.param(["x"], wampys("x", meta={"session_id": 1}), id="no procedure"),
        pytest.param(["x"], wampys("x", meta={**META, "topic": "t"}), id="meta with more"),
        pytest.param([], wampys(None), id="no positional value"),
        pytest.param(["x", "x"], wampys("x"), id="two positional values"),
        pytest.param(["x"], wampys("y"), id="unequal"),
        pytest.param([1], wampys(True), id="1 and True"),
        pytest.param([True], wampys(1), id="True and 1"),
        pytest.param([1], wampys(1.0), id="1 and 1.0"),
        pytest.param([0], wampys(False), id="0 and False"),
        pytest.param([None], wampys(False), id="None and False"),
        pytest.param(["x"], wampys(b"x"), id="text and bytes"),
        pytest.param([[]], wampys({}), id="list and dict"),
        pytest.param([[1]], wampys([1, 2]), id="a longer list"),
        pytest.param([[1, 2]], wampys([2, 1]), id="another order"),
        pytest.param([{"a": 1}], wampys({"a": 1, "b": 2}), id="a larger dict"),
        pytest.param([{"a": 1}], wampys({"b": 1}), id="another key"),
        pytest.param([{"a": [{"b": 1}]}], wampys({"a": [{"b": True}]}), id="unequal inside"),
        pytest.param([float("nan")], wampys(float("nan")), id="NaN"),
    ],
)
def test_link_result_value_of_nearly_wampys_shape(args: list[Any], kwargs: dict[str, Any]) -> None:
    value = result_value(args, kwargs)
    assert isinstance(value, CallResult)
    assert value.args == tuple(args)
    assert value.kwargs is kwargs
