"""The modules that Autobahn imports lazily, loaded before another thread can see them half done.

Autobahn 26.10.2, ``autobahn/wamp/message.py``, function ``_lazy_import``: it takes
``importlib.util.LazyLoader`` for the code of FlatBuffers, which ``autobahn/wamp/serializer.py``
then uses at once. Until Python 3.11.9 and 3.12.3 (gh-114763) such a module is open to a race: who
looks at an attribute while another thread loads it finds half a module. The reloader of ``flask
run`` looks at every module, once a second, and the connection begins on a thread of its own. This
can go with those versions of Python; ``tests/unit/test_package.py`` has the order.
"""

import importlib
import importlib.util
from types import ModuleType
from typing import Any


class _Eager:
    """In place of ``LazyLoader``: loads a module when it is asked to."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)


def load_autobahn() -> None:
    """Import Autobahn's messages, and what they would import lazily."""
    lazy = importlib.util.LazyLoader
    importlib.util.LazyLoader = _Eager  # type: ignore[misc,assignment]
    try:
        importlib.import_module("autobahn.wamp.message")
    finally:
        importlib.util.LazyLoader = lazy  # type: ignore[misc]
