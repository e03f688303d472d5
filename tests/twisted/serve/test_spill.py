"""Records on disk: in order, each once, and what a disk does that is full."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import psutil
import pytest

from flask_wamp._twisted.serve import spill
from flask_wamp._twisted.serve.spill import Spill


def descriptors() -> int:
    """Return how many this process has open."""
    return psutil.Process().num_fds()


def test_spill_gives_back_what_it_got_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sizes, over several files, against a list."""
    monkeypatch.setattr(spill, "SEGMENT", 2_000)
    monkeypatch.setattr(spill, "CHUNK", 300)
    chance = random.Random(10)
    on_disk, model, count = Spill(), list[bytes](), 0
    for _ in range(2_000):
        if chance.random() < 0.5:
            sizes = [
                chance.choice((0, 1, 40, 299, 300, 5_000)) for _ in range(chance.randint(1, 4))
            ]
            records = [b"%d " % (count + n) + bytes(size) for n, size in enumerate(sizes)]
            count += len(records)
            on_disk.write(records)
            model += records
        else:
            most = chance.randint(1, 5)
            read = on_disk.read(most)
            assert read == model[: len(read)]
            assert 0 < len(read) <= most or not model
            del model[: len(read)]
    while model:
        read = on_disk.read(3)
        assert read == model[: len(read)]
        del model[: len(read)]
    assert on_disk.read(1) == []


def test_spill_leaves_no_file_and_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(spill, "SEGMENT", 10)
    before = descriptors()
    on_disk = Spill()
    for _ in range(3):
        on_disk.write([bytes(20)])
    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before + 3
    on_disk.read(1)
    on_disk.close()
    assert descriptors() == before


def test_spill_full_disk_keeps_what_it_had_and_nothing_of_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_disk = Spill()
    on_disk.write([b"a", b"b"])
    write = os.pwrite

    def write_some(file: int, data: Any, at: int) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:50], at)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", write_some)
        with pytest.raises(OSError, match="No space left"):
            on_disk.write([bytes(80)])
    on_disk.write([b"c"])
    assert on_disk.read(9) == [b"a", b"b", b"c"]
