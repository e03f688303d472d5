"""The application as an ASGI application."""

from a2wsgi import WSGIMiddleware

from .app import app

asgi = WSGIMiddleware(app)
