"""The view of the how-to about calling that asks again, where there is no answer."""

from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, CallTimeout, Canceled, NotConnected

from .conftest import BLOCKS, TEXTS

RESERVE = "com.shop.reserve"
NOT_SENT = NotConnected("the router is away", may_have_run=False)


@pytest.fixture
def shop() -> tuple[Flask, WAMP]:
    """Return an application that has the view, and nothing else."""
    app = Flask("shop")
    wamp = WAMP(app)
    assert ("python", "shop/reservations.py") in {(block.language, block.name) for block in BLOCKS}
    code = TEXTS["shop/reservations.py"].replace("from .app import app, wamp\n", "")
    exec(compile(code, "reservations.py", "exec"), {"app": app, "wamp": wamp})  # noqa: S102
    return app, wamp


@pytest.mark.parametrize(
    ("answers", "status", "text", "calls"),
    [
        (["tea"], 200, "tea", 1),
        ([NOT_SENT, "tea"], 200, "tea", 2),
        ([NOT_SENT, NOT_SENT], 503, "nothing was reserved", 2),
        ([CallTimeout, "tea"], 200, "tea", 2),
        ([Canceled, "tea"], 200, "tea", 2),
        ([NotConnected, NOT_SENT], 503, "it may be reserved", 2),
        ([NotConnected, CallTimeout], 503, "it may be reserved", 2),
    ],
)
def test_reservation(
    shop: tuple[Flask, WAMP], answers: list[Any], status: int, text: str, calls: int
) -> None:
    app, wamp = shop
    with wamp.test_client() as client:
        client.stub(RESERVE, answers=answers)
        answer = app.test_client().post("/reservations/7/tea")
        assert answer.status_code == status
        assert text in answer.text
        assert len(client.calls) == calls
