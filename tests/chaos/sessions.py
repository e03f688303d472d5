"""The components of the node."""

from flask_wamp.crossbar import ViewsSession, WebSession

from .names import OTHER


class Web(WebSession):
    """The web side."""

    application = "tests.chaos.app:app"
    awaited = (OTHER,)


class Views(ViewsSession):
    """Serves the application."""

    application = "tests.chaos.app:app"


class Other(ViewsSession):
    """Serves the second application."""

    application = "tests.chaos.other:app"
