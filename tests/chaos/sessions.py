"""The components of the node."""

from flask_wamp.crossbar import ViewsSession, WebSession


class Web(WebSession):
    """The web side."""

    application = "tests.chaos.app:app"


class Views(ViewsSession):
    """Serves the application."""

    application = "tests.chaos.app:app"
