"""uWSGI: each worker serves once it is forked from the master, which has loaded the application.

Without a master, and with ``lazy-apps``, a worker loads the application itself; uWSGI calls nothing
then, and the first request over HTTP begins the serving. So it does with uWSGI's gevent.
"""

import importlib
import inspect
import sys
import weakref
from typing import Any, Protocol


class Begins(Protocol):
    """What begins to serve."""

    def begin(self) -> None:
        """Begin, in this process."""


def watch(serving: Begins) -> None:
    """Where uWSGI's master loads the application, let its workers begin."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None or not hasattr(uwsgi, "masterpid"):
        return
    # With gevent, the worker patches itself after it was forked; a reactor comes after that.
    if uwsgi.masterpid() == 0 or uwsgi.worker_id() != 0 or "gevent" in uwsgi.opt:
        return
    try:
        # uWSGI brings it along; with it, others may have hooks as well.
        decorators: Any = importlib.import_module("uwsgidecorators")
    except Exception:  # noqa: BLE001
        # It refuses some ways to run, with a bare Exception, and not every build has it. The
        # first request begins then.
        return
    modules = _modules_being_imported()
    alive = weakref.ref(serving)

    def worker_is_forked() -> None:
        # uWSGI goes on where an application could not be loaded to its end; Python has then
        # forgotten the modules that could not be imported.
        complete = bool(modules) and all(name in sys.modules for name in modules)
        begins = alive()
        # Spoolers and mules are forked as well, and are no workers.
        if begins is not None and complete and uwsgi.worker_id() > 0:
            begins.begin()

    decorators.postfork(worker_is_forked)


def _modules_being_imported() -> list[str]:
    """Return the modules that are being imported at the moment."""
    names = []
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            names.append(str(frame.f_globals["__name__"]))
        frame = frame.f_back
    return names
