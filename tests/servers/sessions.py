"""The sessions of the node that hosts the application."""

from flask_wamp.crossbar import ViewsSession, WebSession


class Web(WebSession):
    """Lets the views call and publish."""

    application = "tests.servers.app:app"


class Views(ViewsSession):
    """Serves the application."""

    application = "tests.servers.app:app"
