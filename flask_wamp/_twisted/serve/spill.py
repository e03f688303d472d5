"""Events on disk, those that there is no room for in memory."""

import os
import struct
import tempfile
from collections import deque
from collections.abc import Sequence
from typing import BinaryIO

#: Bytes after which another file is begun: the one before goes when it has been read to its end.
SEGMENT = 64 * 2**20
#: Bytes that are read at a time, or one record.
CHUNK = 4 * 2**20

_LENGTH = struct.Struct(">I")


class _Segment:
    """An unnamed file, which is gone with the process, and what of it is yet to be read."""

    def __init__(self) -> None:
        # It lives as long as there is something in it to be read.
        self.file: BinaryIO = tempfile.TemporaryFile(  # noqa: SIM115
            prefix="flask-wamp-", buffering=0
        )
        self.start = 0
        self.end = 0

    def append(self, data: bytes) -> None:
        """Write *data* behind the rest, all of it or none.

        :raises OSError: it could not be written.
        """
        rest, at = memoryview(data), self.end
        while rest:
            # What an attempt that has failed leaves behind the end is written over.
            written = os.pwrite(self.file.fileno(), rest, at)
            rest, at = rest[written:], at + written
        self.end = at

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes, fewer at the end, and leave them there.

        :raises OSError: they cannot be read.
        """
        wanted = min(size, self.end - self.start)
        parts, at = [], self.start
        while wanted:
            part = os.pread(self.file.fileno(), wanted, at)
            if not part:
                raise OSError("the file is shorter than it was")
            parts.append(part)
            wanted, at = wanted - len(part), at + len(part)
        return b"".join(parts)


class Spill:
    """Records, first in and first out, in files of the directory for temporary ones.

    Its methods block, so they run on a thread that is not the reactor's, one at a time.
    """

    def __init__(self) -> None:
        self._segments: deque[_Segment] = deque()

    def write(self, records: Sequence[bytes]) -> None:
        """Keep *records* behind the others, all of them or none.

        :raises OSError: the disk is full, or fails, or there are too many open files.
        """
        data = b"".join(_LENGTH.pack(len(record)) + record for record in records)
        if not self._segments or self._segments[-1].end > SEGMENT:
            segment = _Segment()
            segment.append(data)
            self._segments.append(segment)
        else:
            self._segments[-1].append(data)

    def read(self, most: int) -> list[bytes]:
        """Take the next records, *most* at the most, one at least where there is any.

        :raises OSError: they cannot be read.
        """
        if not self._segments:
            return []
        segment = self._segments[0]
        records = self._take(segment, most)
        if segment.start == segment.end:
            self._segments.popleft().file.close()
        return records

    def close(self) -> None:
        """Forget everything."""
        while self._segments:
            self._segments.popleft().file.close()

    @staticmethod
    def _take(segment: _Segment, most: int) -> list[bytes]:
        data = segment.read(CHUNK)
        (first,) = _LENGTH.unpack_from(data)
        if _LENGTH.size + first > len(data):
            data = segment.read(_LENGTH.size + first)
        records: list[bytes] = []
        at = 0
        while len(records) < most and at + _LENGTH.size <= len(data):
            (length,) = _LENGTH.unpack_from(data, at)
            end = at + _LENGTH.size + length
            if end > len(data):
                break
            records.append(data[at + _LENGTH.size : end])
            at = end
        segment.start += at
        return records
