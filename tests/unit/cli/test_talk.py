"""``flask wamp call``: what it suggests where the router has denied a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, NotAuthorized
from flask_wamp.cli import talk
from flask_wamp.cli.group import wamp as group


class Denied:
    """A client whose role may call nothing; *text* is in the router's words, or a view's."""

    def __init__(self, text: str) -> None:
        self._text = text

    def call(self, uri: str, *_args: Any, **_kwargs: Any) -> Any:
        raise NotAuthorized("wamp.error.not_authorized", [self._text.format(uri=uri)])


@pytest.mark.parametrize(
    ("uri", "text", "end"),
    [
        (
            "com.shop.prise",
            'session is not authorized to call procedure "{uri}"',
            "com.shop.price?",
        ),
        ("com.shop.price", 'session is not authorized to call procedure "{uri}"', "of the node"),
        ("org.nothing", 'session is not authorized to call procedure "{uri}"', "of the node"),
        # Denied is what the procedure has called, or by its view.
        ("com.shop.prise", 'session is not authorized to call procedure "com.x"', "of the node"),
        ("com.shop.prise", "not for you", "not for you"),
    ],
)
def test_call_that_is_denied_suggests_what_the_application_has(
    monkeypatch: pytest.MonkeyPatch, uri: str, text: str, end: str
) -> None:
    @contextmanager
    def connected(_target: Any) -> Iterator[Denied]:
        yield Denied(text)

    monkeypatch.setattr(talk, "connected", connected)
    app = Flask("shop")
    WAMP(app).callee("com.shop.price")(lambda: 1)
    result = app.test_cli_runner().invoke(group, ["call", uri])
    assert result.exit_code == 1
    assert result.stderr.endswith(f"{end}\n")
