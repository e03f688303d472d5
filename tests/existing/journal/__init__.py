"""A journal: who has an account writes entries, and everybody reads them.

It has the shape of the application that Flask's own tutorial builds: a factory, blueprints, SQLite,
accounts and templates.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask


def create_app(test_config: Mapping[str, object] | None = None) -> Flask:
    """Make the application."""
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(
        SECRET_KEY=os.environ.get("JOURNAL_KEY", "dev"),
        DATABASE=str(Path(app.instance_path) / "journal.sqlite"),
    )
    if test_config is None:
        app.config.from_pyfile("config.py", silent=True)
    else:
        app.config.from_mapping(test_config)
    Path(app.instance_path).mkdir(exist_ok=True)

    from . import auth, db, entries

    db.init_app(app)
    app.register_blueprint(auth.bp)
    app.register_blueprint(entries.bp)
    app.add_url_rule("/", endpoint="index")
    return app
