"""Supervisors of one container share a fork server, and may replace their processes at one time."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from flask_wamp._twisted.supervise import forking


class ServerDouble:
    """A fork server that is ready when the test says so, unless it was closed before."""

    made: list["ServerDouble"]

    def __init__(self, *_given: Any, ready: Callable[[], None], over: Any) -> None:
        self._ready = ready
        self._is_closed = False
        self.made.append(self)

    def close(self) -> None:
        self._is_closed = True

    def become_ready(self) -> None:
        if not self._is_closed:
            self._ready()


@pytest.fixture
def forker(monkeypatch: pytest.MonkeyPatch) -> forking.Forker:
    """Return what forks, in a process that adopts nobody."""
    ServerDouble.made = []
    monkeypatch.setattr(forking, "Server", ServerDouble)
    monkeypatch.setattr(forking, "adopt_descendants", lambda: True)
    monkeypatch.setattr(forking.Forker, "_look_for_strays", lambda _forker: None)
    return forking.Forker(Clock(), lambda _level, _text: None)


def test_renewing_twice_at_once_tells_both(forker: forking.Forker) -> None:
    renewed = []
    forker.renew().addCallback(lambda _: renewed.append("first"))
    forker.renew().addCallback(lambda _: renewed.append("second"))
    for server in ServerDouble.made:
        server.become_ready()
    assert renewed == ["first", "second"]


def test_renewing_waits_for_the_new_server(forker: forking.Forker) -> None:
    renewed: list[None] = []
    forker.renew().addCallback(renewed.append)
    ServerDouble.made[0].become_ready()
    assert renewed == []
    ServerDouble.made[1].become_ready()
    assert renewed == [None]
