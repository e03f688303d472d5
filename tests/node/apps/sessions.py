"""The components of these tests' nodes."""

from flask_wamp.crossbar import ViewsSession, WebSession


class Web(WebSession):
    """The web side of the service, on a node that has the other application as well."""

    application = "tests.node.apps.service:app"
    awaited = ("com.other.buy",)


class LoneWeb(WebSession):
    """The web side of the service."""

    application = "tests.node.apps.service:app"


class Views(ViewsSession):
    """Serves the service."""

    application = "tests.node.apps.service:app"


class Other(ViewsSession):
    """Serves the other application."""

    application = "tests.node.apps.other:app"


class Twin(ViewsSession):
    """Serves procedures that the service has registered."""

    application = "tests.node.apps.twin:app"


class TwinWeb(WebSession):
    """The web side of the application whose procedures are taken."""

    application = "tests.node.apps.twin:app"


class BrokenViews(ViewsSession):
    """Serves an application whose import fails."""

    application = "tests.node.apps.broken:app"


class MissingWeb(WebSession):
    """The web side of an application that is not there."""

    application = "tests.node.apps.not_there:app"
