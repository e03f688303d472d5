"""The walks of docs/DESIGN.md are the ways that calls and events take: each is watched."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from flask import Flask, g

from flask_wamp import WAMP
from tests.twisted.doubles import Serving, Turns
from tests.unit.test_structure import WALKS


def code_of(module: str, function: str) -> Any:
    """Return the code of a function."""
    found: Any = import_module(f"flask_wamp.{module.replace('/', '.')}")
    for name in function.split("."):
        found = vars(found)[name]
    return found.__code__


@contextmanager
def watched() -> Iterator[list[Any]]:
    """Note the code of each function that is called meanwhile, on whichever new thread."""
    called: list[Any] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.append(frame.f_code)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def take(walk: str, serve: Serving, turns: Turns, act: Callable[[Any], None]) -> None:
    """Check that the steps of a *walk* come one after another while *act* is under way."""
    way_in, back = WALKS[walk]
    codes = {step: code_of(*step) for step in (*way_in, *back)}
    with watched() as called:
        act(serve())
        turns.run_until(lambda: codes[back[-1]] in called)
    position = 0
    for step, code in codes.items():
        assert code in called[position:], f"{walk}: {step} does not come behind the steps before"
        position = called.index(code, position) + 1


def test_walk_of_a_call(app: Flask, wamp: WAMP, serve: Serving, turns: Turns) -> None:
    @app.get("/double/<int:n>")
    @wamp.callee("com.shop.double")
    def double(n: int) -> dict[str, int]:
        return {"double": 2 * n}

    def act(router: Any) -> None:
        assert router.value(router.invoke("com.shop.double", 2)) == {"double": 4}

    take("A call", serve, turns, act)


def test_walk_of_a_view_that_calls(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    @wamp.callee("com.shop.double")
    def double(n: int) -> int:
        return 2 * n

    @wamp.callee("com.shop.asks")
    def asks(n: int) -> int:
        doubled: int = g.wampy.call("com.shop.double", n)
        return doubled

    def act(router: Any) -> None:
        assert router.value(router.invoke("com.shop.asks", 2)) == 4

    take("A view that calls", serve, turns, act)


def test_walk_of_an_event(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    handled = threading.Event()

    @wamp.subscribe("com.shop.sold")
    def sold(n: int) -> None:
        assert n == 2
        handled.set()

    take("An event", serve, turns, lambda router: router.publish("com.shop.sold", 2))
    assert handled.is_set()
