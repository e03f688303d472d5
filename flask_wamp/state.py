"""What the extension keeps for one application, in ``app.extensions["wamp"]``."""

from collections.abc import Callable

from flask import Flask

from .client import Client
from .config import WampConfig
from .dispatcher import Dispatcher
from .errors import SetupError
from .link import Link, LinkSlot
from .options import Options
from .registry import Registry


class State:
    """One application's configuration, declarations, dispatcher and link.

    :param make_link: makes the link at its first use, where no Crossbar component gave one.
    """

    def __init__(
        self,
        app: Flask,
        registry: Registry,
        config: WampConfig,
        make_link: Callable[["State"], Link],
    ) -> None:
        self.app = app
        self.registry = registry
        self.config = config
        self.default_options = Options(timeout=config.timeout)
        self.slot = LinkSlot()
        self.client = Client(self)
        self.dispatcher = Dispatcher(app, registry)
        self._make_link = make_link

    def link(self) -> Link:
        """Return the link, which is started here where there is none yet."""
        return self.slot.get(lambda: self._make_link(self))


def state_of(app: Flask) -> State:
    """Return the state of *app*.

    :raises SetupError: the application has no WAMP extension.
    """
    state = app.extensions.get("wamp")
    if not isinstance(state, State):
        raise SetupError(
            f"the Flask application {app.name!r} has no WAMP extension: call wamp.init_app(app)"
        )
    return state
