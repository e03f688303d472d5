"""The sessions that Crossbar.io loads into its workers.

A node needs two: :class:`WebSession` as a component of the router that hosts the WSGI application,
so that its views can call and publish, and :class:`ViewsSession` in a container, which serves the
procedures and subscriptions. Both are bound to an application by a subclass::

    class Web(WebSession):
        application = "flask_app.wsgi:app"

:class:`ToHttps` answers on the port of plain HTTP, where the application is behind HTTPS.
"""

from ..application import load_application as load_application
from .session import AppSession as AppSession
from .to_https import ToHttps as ToHttps
from .views import ViewsSession as ViewsSession
from .web import WebSession as WebSession
