"""Peers for whom too much waits."""

from typing import Any

from twisted.internet.task import Clock

from flask_wamp.crossbar.stages import Guarded
from flask_wamp.crossbar.unread import (
    LOOK,
    MAX_UNSENT,
    MAX_UNSENT_OF_SERVICE,
    MAX_UNSENT_TOGETHER,
    Unread,
)


class Peer:
    """A peer for whom so many bytes wait."""

    def __init__(self, waiting: int = 0, *, service: bool = False) -> None:
        self.waiting = waiting
        self.guarded = Guarded(service=service)

    def unsent(self) -> int:
        """Return how many."""
        return self.waiting


def test_unread_is_looked_at_as_long_as_there_are_peers() -> None:
    clock, cut_off = Clock(), list[Any]()
    unread = Unread(clock, lambda peer, _why: cut_off.append(peer))
    assert clock.getDelayedCalls() == []
    reads, does_not = Peer(MAX_UNSENT), Peer(MAX_UNSENT + 1)
    unread.opened(reads)  # type: ignore[arg-type]
    clock.advance(LOOK / 2)
    unread.opened(does_not)  # type: ignore[arg-type]
    clock.advance(LOOK / 2)
    assert cut_off == [does_not]
    unread.closed(does_not)  # type: ignore[arg-type]
    clock.advance(LOOK)
    assert cut_off == [does_not]
    reads.waiting += 1
    clock.advance(LOOK)
    assert cut_off == [does_not, reads]
    unread.closed(reads)  # type: ignore[arg-type]
    unread.closed(reads)  # type: ignore[arg-type]
    assert clock.getDelayedCalls() == []


def test_unread_peer_may_close_while_it_is_cut_off() -> None:
    clock = Clock()
    peers = [Peer(MAX_UNSENT + 1), Peer(MAX_UNSENT + 1)]
    cut_off = []

    def drop(peer: Any, _why: str) -> None:
        cut_off.append(peer)
        unread.closed(peer)

    unread = Unread(clock, drop)
    for peer in peers:
        unread.opened(peer)  # type: ignore[arg-type]
    clock.advance(LOOK)
    assert sorted(cut_off, key=id) == sorted(peers, key=id)
    assert clock.getDelayedCalls() == []


def test_unread_of_pages_has_a_limit_for_all_together() -> None:
    clock, cut_off = Clock(), list[tuple[Any, str]]()
    unread = Unread(clock, lambda peer, why: cut_off.append((peer, why)))
    service = Peer(MAX_UNSENT_OF_SERVICE, service=True)
    slow = Peer(MAX_UNSENT_TOGETHER // 100)
    crowd = [Peer(MAX_UNSENT) for _ in range(MAX_UNSENT_TOGETHER // MAX_UNSENT)]
    for peer in (service, slow, *crowd):
        unread.opened(peer)  # type: ignore[arg-type]
    clock.advance(LOOK)
    [(gone, why)] = cut_off
    assert gone in crowd
    assert why == "more than 256 MiB wait for all pages together"
    unread.closed(gone)
    clock.advance(LOOK)
    assert len(cut_off) == 1
