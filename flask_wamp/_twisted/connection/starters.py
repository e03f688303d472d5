"""Who waits for a connection to serve."""

from concurrent.futures import Future


class Starters:
    """The threads that wait for the outcome; on the reactor's thread."""

    def __init__(self) -> None:
        self._waiting: list[Future[None]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, started: "Future[None]") -> None:
        """Wait for the outcome."""
        self._waiting.append(started)

    def give_up(self, started: "Future[None]") -> None:
        """Wait no longer."""
        if started in self._waiting:
            self._waiting.remove(started)

    def succeed(self) -> None:
        """It serves: nobody waits any more."""
        waiting, self._waiting = self._waiting, []
        for started in waiting:
            started.set_result(None)

    def fail(self, error: BaseException) -> None:
        """It does not: nobody waits any more."""
        waiting, self._waiting = self._waiting, []
        for started in waiting:
            started.set_exception(error)
