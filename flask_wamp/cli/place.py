"""The place of what a command is for: the node's configuration, and the application."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click
from flask import Flask
from flask.cli import ScriptInfo, prepare_import

from ..node.configuration import DEFAULT_CONFIG

#: Where Flask looks for an application that nobody names, and how it is called there.
MODULES = ("wsgi", "app")
OBJECTS = ("app", "application")
FACTORIES = ("create_app", "make_app")

#: Which node a command is about.
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The node's configuration.",
)


def there(path: Path) -> bool:
    """Tell whether anything stands at *path*, a link that leads nowhere included."""
    return path.exists() or path.is_symlink()


def write(path: Path, text: str) -> None:
    """Write a file: in place of a link that stands there, not where that leads."""
    if path.is_symlink():
        path.unlink()
    path.write_text(text)


@dataclass(frozen=True)
class Found:
    """An application and its place.

    :ivar module: where it, or what makes it, is.
    :ivar object: its name there; empty where a factory makes it.
    :ivar factory: the factory's call, as in ``create_app()``.
    :ivar root: the directory that the module is imported from.
    """

    app: Flask
    module: str
    object: str
    factory: str
    root: Path


def find(info: ScriptInfo) -> Found:
    """Return the application that Flask finds, and its place.

    :raises NoAppException: there is none, or it cannot be imported.
    :raises click.ClickException: its place cannot be seen.
    """
    app = info.load_app()
    if info.app_import_path:
        path, name = [*re.split(r":(?![\\/])", info.app_import_path, maxsplit=1), ""][:2]
        module = sys.modules[prepare_import(path)]
    else:
        names = [name for name in MODULES if name in sys.modules and _has(sys.modules[name], app)]
        if not names:
            raise click.ClickException(
                "where the application is cannot be seen: name its place, --module M --object O"
            )
        name, module = "", sys.modules[prepare_import(f"{names[0]}.py")]
    attribute = name if vars(module).get(name) is app else _attribute(module, app)
    factory = "" if attribute else _call(name or _factory(module))
    return Found(app, module.__name__, attribute, factory, Path(sys.path[0]))


def _has(module: ModuleType, app: Flask) -> bool:
    return bool(_attribute(module, app) or _factory(module))


def _attribute(module: ModuleType, app: Flask) -> str:
    names = [name for name, value in vars(module).items() if value is app]
    return next((name for name in OBJECTS if name in names), names[0] if names else "")


def _factory(module: ModuleType) -> str:
    return next((name for name in FACTORIES if callable(getattr(module, name, None))), "")


def _call(factory: str) -> str:
    return factory if factory.endswith(")") else f"{factory}()"
