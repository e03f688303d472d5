"""What the workers of this node run: the sessions of flask_app, and of the service beside it."""

from flask_wamp.crossbar import ViewsSession, WebSession


class Web(WebSession):
    """Lets the views of the hosted WSGI application call and publish."""

    application = "flask_app.wsgi:app"
    awaited = ("com.example.summary.poll",)


class Views(ViewsSession):
    """Serves the procedures and subscriptions of the application."""

    application = "flask_app.wsgi:app"


class Summary(ViewsSession):
    """Serves the summary service, a second Flask application."""

    application = "component.summary:app"
