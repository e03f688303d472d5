"""The application as an ASGI application."""

from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi

from .app import app

by_a2wsgi = WSGIMiddleware(app)
by_asgiref = WsgiToAsgi(app)  # type: ignore[no-untyped-call]
