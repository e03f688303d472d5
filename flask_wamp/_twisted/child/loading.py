"""The application of a serving process."""

import os
from dataclasses import replace

from flask import Flask
from flask.cli import ScriptInfo

from ...address import Address
from ...application import load_application
from ...config import WampConfig
from ...errors import ConfigError, SetupError
from ...state import State, state_of
from ..supervise.settings import ChildSettings


def load(settings: ChildSettings) -> State:
    """Import the application, and return what serves it.

    :raises Exception: whatever keeps it from being imported.
    :raises SetupError: it is none, has no extension, or is connected while it is imported.
    """
    app = _load(settings)
    state = state_of(app)
    if state.slot.link is not None:
        raise SetupError(
            f"{settings.application!r} connects to a router while it is imported: a process that "
            "serves connects by itself, so call and publish in views"
        )
    state.config = _config(state.config, settings)
    state.registry.freeze(settings.by)
    state.dispatcher.prepare()
    return state


def service_name(settings: ChildSettings) -> str:
    """Return what the processes of one supervisor have in common, whatever their code."""
    return f"{settings.application} in {os.getcwd()}"  # noqa: PTH109 - as text


def _load(settings: ChildSettings) -> Flask:
    if settings.as_flask:
        return ScriptInfo(app_import_path=settings.application or None).load_app()
    return load_application(settings.application, factories=settings.factories)


def _config(config: WampConfig, settings: ChildSettings) -> WampConfig:
    """Return the application's configuration with the router that the supervisor names."""
    if settings.url is not None:
        try:
            addresses = (Address.parse(settings.url),)
        except ValueError as error:
            raise ConfigError(f'"url": {settings.url!r} is no router: {error}') from None
        config = replace(config, addresses=addresses)
    return replace(
        config,
        realm=settings.realm or config.realm,
        threads=settings.threads or config.threads,
        credentials=config.credentials if settings.login else None,
    )
