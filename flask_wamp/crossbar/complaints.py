"""What is logged of strangers, who can make any number of lines: the first few of a minute."""

from collections.abc import Callable

#: Lines of one kind that a period may have.
LINES = 5
#: Seconds of a period.
PERIOD = 60.0
#: Characters of a line.
MAX_LINE = 500


class Complaints:
    """Logs the first lines of each kind in a period, and how many were left out before.

    :param log: takes a line.
    :param clock: tells the seconds that have passed since some time.
    :ivar count: is told the kind of each, where they are counted.
    """

    count: Callable[[str], None] | None = None

    def __init__(self, log: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._periods: dict[str, tuple[float, int]] = {}

    def say(self, kind: str, line: str) -> None:
        """Log *line*, or leave it out.

        :param kind: one of the few that a program has, never a stranger's word.
        :param line: no secrets; what is not printable in it is logged as an escape.
        """
        if self.count is not None:
            self.count(kind)
        now = self._clock()
        began, count = self._periods.get(kind, (now, 0))
        if now - began >= PERIOD:
            if count > LINES:
                self._log(f"{kind}: {count - LINES} more of these were not logged")
            began, count = now, 0
        count += 1
        self._periods[kind] = began, count
        if count <= LINES:
            last = f"; further ones are not logged for {PERIOD:.0f} s" if count == LINES else ""
            self._log(f"{kind}: {_printable(line[:MAX_LINE])}{last}")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
