"""The application object for a WSGI server: ``flask_app.wsgi:app``."""

from flask_app import create_app

app = create_app()
