"""What clients send and read: JSON, or forms and pages."""

from typing import Any

from flask import abort, request


def wants_json() -> bool:
    """Tell whether to answer with data, not with a page.

    Pages are for browsers.  They send forms and say that they accept ``text/html``; a client
    that says neither gets JSON.
    """
    if request.method == "CALL" or request.is_json:
        return True
    formats = ["application/json", "text/html"]
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        formats.reverse()
    # best_match() takes the first of equals, and the default if there is no Accept header.
    return request.accept_mimetypes.best_match(formats, formats[0]) == "application/json"


def json_object() -> dict[str, Any]:
    """Return the JSON object in the body of the request."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # thousands of brackets in brackets
        body = None
    if not isinstance(body, dict):
        abort(400, "The body has to be a JSON object.")
    return body
