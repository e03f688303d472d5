"""The components of these tests' nodes."""

from flask_wamp.crossbar import ViewsSession, WebSession


class Web(WebSession):
    """The web side of the service, on a node that has the other applications as well."""

    application = "tests.node.apps.service:app"
    awaited = ("com.other.buy", "com.serving.add")


class LoneWeb(WebSession):
    """The web side of the service."""

    application = "tests.node.apps.service:app"


class Views(ViewsSession):
    """Serves the service."""

    application = "tests.node.apps.service:app"


class Other(ViewsSession):
    """Serves the other application."""

    application = "tests.node.apps.other:app"


class Serving(ViewsSession):
    """Serves the application that uses what serving has to offer."""

    application = "tests.node.apps.serving:app"


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


class HistoryWeb(WebSession):
    """The web side of the application that catches up."""

    application = "tests.node.apps.history:app"


class HistoryViews(ViewsSession):
    """Serves the application that catches up."""

    application = "tests.node.apps.history:app"
