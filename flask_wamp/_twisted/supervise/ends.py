"""How a process has ended, in words."""

import signal


def words_of(code: int) -> str:
    """Say how a process has ended.

    :param code: its exit code, or a signal's number with a minus, as :mod:`subprocess` has it.
    """
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
