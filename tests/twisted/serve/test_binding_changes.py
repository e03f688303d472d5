"""Serving while things change: added, removed, taken away by the router, in conflict."""

from collections.abc import Callable
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask

from flask_wamp import WAMP, RegistrationFailed
from flask_wamp.declare.declared import describe
from flask_wamp.state import state_of

from ..doubles import Router, Serving, Turns
from ..helpers import Counted, declared, fired, server_of

UNAVAILABLE = "wamp.error.unavailable"
CANCELED = "wamp.error.canceled"


# --- added and removed while running


def test_binding_add_and_remove_a_procedure(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    router = serve()
    server = server_of(router)
    wamp.callee("com.shop.x")(lambda: 1)
    procedure = declared(app, "com.shop.x")
    assert fired(server.add(procedure), turns) is server
    assert fired(server.add(procedure), turns) is server
    assert len(router.transport.of_kind(message.Register)) == 1
    assert router.value(router.invoke("com.shop.x")) == 1

    assert fired(server.remove(procedure), turns) is None
    assert fired(server.remove(procedure), turns) is None
    assert len(router.transport.of_kind(message.Unregister)) == 1
    assert router.registrations == {}
    # Added again, it is a registration of its own.
    assert fired(server.add(procedure), turns) is server
    assert router.value(router.invoke("com.shop.x")) == 1


def test_binding_removed_procedure_finishes_what_runs_and_refuses_what_comes(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1)(view.__call__)
    router = serve()
    server, number = server_of(router), router.registrations["com.shop.x"]
    requests = [router.invoke("com.shop.x", n) for n in range(2)]
    view.blocked.wait()
    assert fired(server.remove(declared(app, "com.shop.x")), turns) is None
    router.transport.receive(message.Invocation(99, number, args=[9]))
    error = router.error(99)
    assert error.error == "wamp.error.no_such_procedure"
    assert "has been removed" in error.args[0]
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests] == [0, 1]
    assert serve.limits._gates == {}


def test_binding_add_what_is_refused(app: Flask, wamp: WAMP, serve: Serving, turns: Turns) -> None:
    router = serve(refused=("com.shop.x",))
    wamp.callee("com.shop.x")(lambda: 1)
    failure = fired(server_of(router).add(declared(app, "com.shop.x")), turns)
    assert failure.check(RegistrationFailed)
    assert "the procedure 'com.shop.x' of " in str(failure.value)
    assert "not_authorized - no com.shop.x" in str(failure.value)


def test_binding_add_and_remove_a_handler(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    """One of two of the same topic."""
    first: list[int] = []
    second: list[int] = []
    wamp.subscribe("com.shop.sold")(first.append)
    router = serve()
    server = server_of(router)
    wamp.subscribe("com.shop.sold")(second.append)
    subscription = declared(app, "com.shop.sold")
    assert fired(server.add(subscription), turns) is server
    router.publish("com.shop.sold", 1)
    turns.run_until(lambda: first == second == [1])
    assert fired(server.remove(subscription), turns) is not subscription
    assert router.transport.of_kind(message.Unsubscribe) == []
    router.publish("com.shop.sold", 2)
    turns.run_until(lambda: len(first) == 2)
    turns.run_pending()
    assert second == [1]


def test_binding_removed_handler_finishes_what_it_has(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    view = Counted()
    wamp.subscribe("com.shop.sold")(view.__call__)
    router = serve()
    for n in range(3):
        router.publish("com.shop.sold", n)
    view.blocked.wait()
    number = router.subscriptions["com.shop.sold"]
    fired(server_of(router).remove(declared(app, "com.shop.sold")), turns)
    assert router.subscriptions == {}
    router.transport.receive(message.Event(number, 5, args=[9]))
    view.blocked.go_on.set()
    turns.run_until(lambda: len(view.ran) == 3 and view.running == 0)
    turns.run_pending()
    assert view.ran == [0, 1, 2]


def test_binding_wamp_adds_and_removes_while_running(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    """From a view, in the process that serves."""
    handles: list[Any] = []

    @wamp.callee("com.shop.open")
    def open_(name: str) -> None:
        handles.append(wamp.add_procedure(lambda: name, f"com.shop.{name}"))

    @wamp.callee("com.shop.close")
    def close() -> None:
        handles.pop().remove()

    router = serve()
    state_of(app).registry.freeze("the node")
    assert router.value(router.invoke("com.shop.open", "pen")) is None
    assert router.value(router.invoke("com.shop.pen")) == "pen"
    assert router.value(router.invoke("com.shop.close")) is None
    assert set(router.registrations) == {"com.shop.open", "com.shop.close"}
    assert router.value(router.invoke("com.shop.open", "pen")) is None
    assert router.value(router.invoke("com.shop.pen")) == "pen"


# --- what the router takes away


def test_binding_revoked_procedure_is_logged(
    wamp: WAMP, serve: Serving, twisted_log: list[str]
) -> None:
    @wamp.callee("com.shop.x")
    def x() -> int:
        return 1

    wamp.callee("com.shop.y")(lambda: 2)
    router = serve()
    number = router.registrations["com.shop.x"]
    router.transport.receive(message.Unregistered(0, registration=number))
    (text,) = [text for text in twisted_log if "revoked" in text]
    assert f"the procedure 'com.shop.x' of {describe(x)}" in text
    assert router.error(router.invoke("com.shop.x")).error == "wamp.error.no_such_procedure"
    assert router.value(router.invoke("com.shop.y")) == 2


def test_binding_revoked_subscription_is_logged_for_each_of_its_handlers(
    wamp: WAMP, serve: Serving, twisted_log: list[str]
) -> None:
    @wamp.subscribe("com.shop.sold")
    def first() -> None: ...

    @wamp.subscribe("com.shop.sold")
    def second() -> None: ...

    router = serve()
    number = router.subscriptions["com.shop.sold"]
    router.transport.receive(message.Unsubscribed(0, subscription=number))
    text = "\n".join(text for text in twisted_log if "revoked" in text)
    assert describe(first) in text
    assert describe(second) in text


def test_binding_revoked_can_be_removed_and_added_again(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    router = serve()
    server = server_of(router)
    number = router.registrations.pop("com.shop.x")
    router.transport.receive(message.Unregistered(0, registration=number))
    procedure = declared(app, "com.shop.x")
    assert fired(server.remove(procedure), turns) is None
    assert router.transport.of_kind(message.Unregister) == []
    assert fired(server.add(procedure), turns) is server
    assert router.value(router.invoke("com.shop.x")) == 1


def test_binding_revocation_of_what_is_unknown(
    wamp: WAMP, serve: Serving, twisted_log: list[str]
) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    router = serve()
    router.transport.receive(message.Unregistered(0, registration=99))
    assert not any("revoked" in text for text in twisted_log)
    assert router.value(router.invoke("com.shop.x")) == 1


# --- conflicts


@pytest.fixture
def conflict(serve: Serving, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what serves where others hold ``com.shop.x``, and returns how that is refused."""

    def conflict(refusal: str, answers: dict[str, Any]) -> str:
        class Taken(Router):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.answers_of = answers

        monkeypatch.setattr("tests.twisted.doubles.Router", Taken)
        with pytest.raises(RegistrationFailed) as caught:
            serve(refused=("com.shop.x",), refusal=refusal)
        return str(caught.value)

    return conflict


EXISTS = "wamp.error.procedure_already_exists"


def holders(*sessions: int) -> dict[str, Any]:
    """Return what the router tells about a registration of *sessions*."""
    return {
        "wamp.registration.lookup": lambda uri, options: 5 if uri == "com.shop.x" else None,
        "wamp.registration.get": lambda _number: {"invoke": "roundrobin"},
        "wamp.registration.list_callees": lambda _number: list(sessions),
        "wamp.session.get": lambda number: {"authid": f"bob{number}", "authrole": "backend"},
    }


@pytest.mark.parametrize(
    "refusal",
    [EXISTS, "wamp.error.procedure_exists_with_different_invocation_policy"],
)
def test_binding_conflict_tells_both_sides(
    wamp: WAMP, conflict: Callable[..., str], refusal: str
) -> None:
    wamp.callee("com.shop.x", invoke="first")(lambda: 1)
    text = conflict(refusal, holders(7, 8))
    assert f"{refusal} - no com.shop.x (invoke='first' here; invoke='roundrobin' at " in text
    assert "session 7 (authid 'bob7', 'backend'), session 8 (authid 'bob8', 'backend'))" in text


def test_binding_conflict_names_three_of_many(wamp: WAMP, conflict: Callable[..., str]) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    text = conflict(EXISTS, holders(1, 2, 3, 4, 5))
    assert "bob3" in text
    assert "bob4" not in text


@pytest.mark.parametrize("asked", sorted(holders()))
def test_binding_conflict_where_the_router_does_not_tell(
    wamp: WAMP, conflict: Callable[..., str], asked: str
) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    answers = holders(7)
    del answers[asked]
    text = conflict(EXISTS, answers)
    assert text.endswith("no com.shop.x (invoke='single' here)")


def test_binding_conflict_whose_holder_is_gone_meanwhile(
    wamp: WAMP, conflict: Callable[..., str]
) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    text = conflict(EXISTS, {**holders(7), "wamp.registration.lookup": lambda *_: None})
    assert text.startswith("the router refused the procedure 'com.shop.x' of ")
    assert "invoke='single' here" in text


def test_binding_other_refusals_are_no_conflict(wamp: WAMP, conflict: Callable[..., str]) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    text = conflict("wamp.error.not_authorized", holders(7))
    assert text.endswith("wamp.error.not_authorized - no com.shop.x")
