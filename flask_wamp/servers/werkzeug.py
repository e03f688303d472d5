"""``flask run`` and the other ways to Werkzeug's server: a process serves when its server does.

The parent of the reloader imports the application as well, and runs no server. Werkzeug has no hook
for the begin; it has a class for its servers, and this is its public method that runs one.
"""

from .inside import begin_serving


def watch() -> None:
    """Notice when this process runs a server."""
    from werkzeug.serving import BaseWSGIServer

    serve_forever = BaseWSGIServer.serve_forever
    if serve_forever.__module__ == __name__:
        return

    def serve_wamp_too(self: BaseWSGIServer, poll_interval: float = 0.5) -> None:
        """Handle requests until the server is shut down; see :class:`BaseWSGIServer`."""
        begin_serving(self.app)
        serve_forever(self, poll_interval)

    BaseWSGIServer.serve_forever = serve_wamp_too  # type: ignore[method-assign]
