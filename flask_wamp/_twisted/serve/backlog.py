"""What waits for a handler, in order: the first in memory, the others on disk.

The disk may take its time, and the reactor must not. So what is to be written waits in a buffer
until a thread has written it, and what is read comes in when there is half of the room for it. One
piece of such work is under way at a time.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .spill import Spill

T = TypeVar("T")

#: Records, or bytes of them, that are worth a write.
WORTH_RECORDS = 100
WORTH_BYTES = 256 * 1024
#: Bytes that may wait to be written. More, and the disk is too slow for what comes.
MAX_UNWRITTEN = 32 * 2**20
#: Seconds after which a disk that has failed is tried again.
REST = 1.0


class Backlog(Generic[T]):
    """A queue of items that does not end with memory; on the reactor's thread.

    :param room: items that are kept in memory.
    :param pack: makes bytes of an item.
    :param unpack: makes the item again.
    :param put: runs what it is given on the reactor's thread, from any.
    :param changed: called when items have come from the disk, or the disk has failed.
    :ivar spilled: items that were not to stay in memory, all in all.
    :ivar lost: items that the disk has not given back, all in all.
    :ivar failure: why the disk does not take what it is to take; None where it does.
    """

    def __init__(
        self,
        room: int,
        pack: Callable[[T], bytes],
        unpack: Callable[[bytes], T],
        put: Callable[[Callable[[], None]], None],
        changed: Callable[[], None],
    ) -> None:
        self._room = room
        self._pack = pack
        self._unpack = unpack
        self._put = put
        self._changed = changed
        self._memory: deque[T] = deque()
        self._unwritten: deque[bytes] = deque()
        self._unwritten_bytes = 0
        self._on_disk = 0
        self._spill = Spill()
        self._is_busy = False
        self._rests_until = 0.0
        self.spilled = 0
        self.lost = 0
        self.failure: OSError | None = None

    def __len__(self) -> int:
        return len(self._memory) + self._on_disk + len(self._unwritten)

    @property
    def is_behind(self) -> bool:
        """Whether the disk does not take what comes, so that nothing more should come."""
        has_failed = self.failure is not None and bool(self._unwritten)
        return has_failed or self._unwritten_bytes > MAX_UNWRITTEN

    def append(self, item: T) -> None:
        """Keep *item* behind the others.

        :raises Exception: there is no room for it in memory, and it cannot be packed.
        """
        if len(self._memory) < self._room and not self._unwritten and not self._on_disk:
            self._memory.append(item)
            return
        packed = self._pack(item)
        self._unwritten.append(packed)
        self._unwritten_bytes += len(packed)
        self.spilled += 1
        self._work()

    def popleft(self) -> T | None:
        """Take the first item; None where there is none, or it is yet to come from the disk."""
        item = self._memory.popleft() if self._memory else None
        self._work()
        return item

    def _work(self) -> None:
        """Do next what is to be done."""
        if self._is_busy:
            return
        if not self._on_disk:
            self._take_unwritten()
        if not self._unwritten:
            self.failure = None
        if self._on_disk and len(self._memory) * 2 <= self._room:
            self._read()
        elif self._is_worth_writing() and time.monotonic() >= self._rests_until:
            self._write()

    def _is_worth_writing(self) -> bool:
        # After a failure nothing more comes that would make it worth it.
        has_failed = self.failure is not None and bool(self._unwritten)
        return (
            has_failed
            or len(self._unwritten) >= WORTH_RECORDS
            or self._unwritten_bytes >= WORTH_BYTES
        )

    def _take_unwritten(self) -> None:
        """Let what comes next, and was never written, have the room that there is."""
        while self._unwritten and len(self._memory) < self._room:
            packed = self._unwritten.popleft()
            self._unwritten_bytes -= len(packed)
            self._memory.append(self._unpack(packed))

    def _write(self) -> None:
        records = list(self._unwritten)

        def written(_nothing: Any) -> None:
            for _ in records:
                self._unwritten_bytes -= len(self._unwritten.popleft())
            self._on_disk += len(records)
            self.failure = None

        def failed(error: OSError) -> None:
            # They stay where they are, and go to the handler from there.
            self.failure = error
            self._rests_until = time.monotonic() + REST
            # Nobody else may come by: no event is read until the disk takes them, and a handler may be
            # stuck.
            again = threading.Timer(REST, self._put, [self._work])
            again.daemon = True
            with contextlib.suppress(RuntimeError):
                again.start()

        self._on_thread(lambda: self._spill.write(records), written, failed)

    def _read(self) -> None:
        most = max(1, self._room - len(self._memory))

        def read(records: list[bytes]) -> None:
            self._on_disk -= len(records)
            self._memory.extend(map(self._unpack, records))

        def failed(error: OSError) -> None:
            self.failure = error
            self.lost += self._on_disk
            self._on_disk = 0
            self._spill.close()

        self._on_thread(lambda: self._spill.read(most), read, failed)

    def _on_thread(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._is_busy = True

        def finish(tell: Callable[[Any], None], outcome: Any) -> None:
            self._is_busy = False
            tell(outcome)
            self._work()
            self._changed()

        def run() -> None:
            tell, outcome = done, None
            try:
                outcome = work()
            except Exception as error:  # noqa: BLE001
                # Whatever it is, the queue must go on.
                tell = failed
                outcome = error if isinstance(error, OSError) else OSError(repr(error))
            self._put(lambda: finish(tell, outcome))

        try:
            threading.Thread(target=run, name="flask-wamp spill", daemon=True).start()
        except RuntimeError:
            # No thread can be started: better slowly than never.
            run()
