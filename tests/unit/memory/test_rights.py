"""Rights in memory: those that a node has."""

from typing import Any

import pytest
from flask import Flask, current_app

from flask_wamp import WAMP, Access, NoSuchProcedure, NotAuthorized
from flask_wamp.testing import WampTestClient


def view(*args: Any) -> list[Any]:
    """Return the arguments."""
    return list(args)


def test_services_may_do_everything(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("com.shop.wipe")(view)
    assert client.session.authrole == "backend"
    assert client.call("com.shop.wipe", 1) == [1]
    assert client.as_caller("x", "trusted").call("com.shop.wipe") == []
    assert client.publish("com.shop.sold") > 0


def test_roles_may_call_what_is_declared(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("com.shop.price", allow=["user", "admin"])(view)
    user, visitor = (client.as_caller("x", role) for role in ("user", "anonymous"))
    assert user.call("com.shop.price") == []
    with pytest.raises(NotAuthorized, match='authrole="anonymous"\\) is not authorized to call'):
        visitor.call("com.shop.price")
    with pytest.raises(NotAuthorized):
        list(visitor.stream("com.shop.price"))
    # Whether there is such a procedure is nobody's business who may not call it.
    with pytest.raises(NotAuthorized):
        user.call("com.shop.nothing")
    with pytest.raises(NoSuchProcedure):
        client.call("com.shop.nothing")


def test_roles_may_publish_what_is_declared(wamp: WAMP, client: WampTestClient) -> None:
    told: list[Any] = []
    wamp.consume("com.shop.", match="prefix")(lambda *args: told.extend(args))
    wamp.topic("com.shop.chat", publish="user")
    user = client.as_caller("x", "user")
    user.publish("com.shop.chat", 1)
    with pytest.raises(
        NotAuthorized, match=r"not authorized to publish to topic 'com\.shop\.sold'"
    ):
        user.publish("com.shop.sold", 2)
    with pytest.raises(NotAuthorized):
        client.as_caller("x", "anonymous").publish("com.shop.chat", 3)
    assert told == [1]


def test_client_of_a_role_has_its_rights(wamp: WAMP) -> None:
    wamp.callee("com.shop.price", allow="user")(view)
    with wamp.test_client(authrole="user") as client:
        assert client.call("com.shop.price") == []
    with wamp.test_client(authrole="anonymous") as client, pytest.raises(NotAuthorized):
        client.call("com.shop.price")


def test_functions_are_asked_in_a_context_of_the_application(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    asked: list[Any] = []

    def is_owner(access: Access) -> Any:
        asked.append((current_app.name, access))
        return answers.pop()

    wamp.callee("com.shop.mine", allow=is_owner)(view)
    ann = client.as_caller("ann", "user", session=7)
    answers: list[Any] = [True]
    assert ann.call("com.shop.mine") == []
    assert asked == [
        (app.name, Access("call", "com.shop.mine", session=7, authid="ann", authrole="user"))
    ]
    for said in (False, None, 1, "yes"):
        answers.append(said)
        with pytest.raises(NotAuthorized):
            ann.call("com.shop.mine")
    # A defect of the application, which a test is to see.
    with pytest.raises(IndexError):
        ann.call("com.shop.mine")
