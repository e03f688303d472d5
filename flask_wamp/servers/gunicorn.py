"""gunicorn: each worker serves once it has loaded the application, with ``--preload`` and without.

gunicorn calls ``post_worker_init`` of its settings in each worker when that is so. An application is
loaded by gunicorn's own, ``gunicorn.app.base.BaseApplication``, which has the settings. Who wants to
see it written down, or has an application that is made elsewhere, starts gunicorn with ``--config
python:flask_wamp.servers.gunicorn``, or calls :func:`post_worker_init` in a hook of their own.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from .inside import begin_serving


def post_worker_init(worker: Any) -> None:
    """Let a worker serve; it has loaded its application."""
    begin_serving(worker.wsgi)


def watch() -> None:
    """Where gunicorn loads the application, let it call :func:`post_worker_init`."""
    application = _loading_application()
    if application is None or application.cfg is None:
        return
    _chain(application.cfg)
    if application.cfg.preload_app:
        # SIGHUP replaces the settings, and keeps the application.
        application.reload = _Reload(application, application.reload)


class _Hook:
    """gunicorn's hook of the settings, and ours behind it."""

    def __init__(self, configured: Callable[[Any], Any]) -> None:
        self._configured = configured

    def __call__(self, worker: Any) -> None:
        self._configured(worker)
        post_worker_init(worker)


class _Reload:
    """Reads gunicorn's settings anew, with the hook in them."""

    def __init__(self, application: Any, reload: Callable[[], Any]) -> None:
        self._application = application
        self._reload = reload

    def __call__(self) -> None:
        self._reload()
        _chain(self._application.cfg)


def _chain(cfg: Any) -> None:
    configured = cfg.post_worker_init
    if configured is not post_worker_init and not isinstance(configured, _Hook):
        cfg.set("post_worker_init", _Hook(configured))


def _loading_application() -> Any:
    """Return gunicorn's application that is loading ours, or None."""
    module: Any = sys.modules.get("gunicorn.app.base")
    frame = inspect.currentframe() if module is not None else None
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, module.BaseApplication):
            return caller
        frame = frame.f_back
    return None
