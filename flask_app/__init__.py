"""A live poll: the example application of flask-wamp.

The polls can be read and changed in two ways, over HTTP and by WAMP calls, and every change is
published, so that each open page follows along.
"""

from collections.abc import Mapping
from pathlib import Path

from flask import Flask, Response, abort, json, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_app import auth, db, views
from flask_app.answers import wants_json
from flask_app.extensions import wamp
from flask_app.keys import secret_key
from flask_wamp.observe import health, metrics

# All scripts and styles are files of ours.  'self' covers the WebSocket of the same host as well.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Make the application.

    :param config: settings that win over the environment's (``FLASK_DATABASE``,
        ``FLASK_WAMP_URL``…) and over the defaults.
    """
    app = Flask(__name__)
    app.config.from_mapping(
        DATABASE=str(Path(app.instance_path) / "polls.sqlite"),
        MAX_CONTENT_LENGTH=64 * 1024,
        WAMP_TIMEOUT=5,  # the page waits no longer than this for its summary
        SESSION_COOKIE_SAMESITE="Lax",
        PROXIES=0,  # that stand in front of the node, and whose X-Forwarded headers are believed
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config)
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = secret_key(Path(app.config["DATABASE"]).with_name("secret_key"))

    trust_proxies(app, app.config["PROXIES"])
    wamp.init_app(app)
    app.register_blueprint(auth.bp)
    app.register_blueprint(views.bp)
    app.register_blueprint(health())
    app.register_blueprint(metrics())  # with FLASK_WAMP_METRICS=true
    app.teardown_appcontext(db.close)
    app.before_request(refuse_cross_site)
    app.after_request(add_security_headers)
    app.register_error_handler(HTTPException, explain_error)
    return app


def trust_proxies(app: Flask, count: int) -> None:
    """Believe so many proxies who has asked, by which scheme and for which host.

    With none the headers are anybody's to send, and are ignored.
    """
    if count:
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=0)
        app.wsgi_app = proxied  # type: ignore[method-assign]


def refuse_cross_site() -> None:
    """Refuse a change that another site's page sends through a visitor's browser."""
    if request.method in ("GET", "HEAD", "OPTIONS", "CALL"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        # On plain http:// browsers send Origin only.  A proxy may have changed scheme and host;
        # the host it got is in X-Forwarded-Host, which no page of another site can set.
        hosts = (request.host, request.headers.get("X-Forwarded-Host"))
        allowed = origin is None or origin.partition("://")[2] in hosts
    if not allowed:
        abort(403, "This request came from another site, so nothing was changed.")


def add_security_headers(response: Response) -> Response:
    """Tell browsers to load and run nothing that is not ours."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Not "no-referrer": with that, browsers send "Origin: null" along with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def explain_error(error: HTTPException) -> ResponseReturnValue:
    """Answer an error with what the client reads: a page or JSON."""
    if request.method == "CALL":
        return error  # flask_wamp makes a WAMP error of it
    headers = error.get_response().headers  # such as Allow
    if wants_json():
        body, headers["Content-Type"] = json.dumps({"error": error.description}), "application/json"
    else:
        body = render_template("error.html", error=error)
    headers.pop("Content-Length", None)
    return Response(body, error.code, headers)
