"""What the workers of this node run, ``component.Web`` and so on, and a service beside it.

The sessions are imported when a worker asks for one, for they bring Crossbar.io along, 50 MB of it,
which the processes that serve ``component.summary`` have no use for.
"""

import importlib
from typing import Any

SESSIONS = ("Web", "Views", "Summary")


def __getattr__(name: str) -> Any:
    if name not in SESSIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(".sessions", __name__), name)
