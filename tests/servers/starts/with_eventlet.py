"""The application under eventlet's own WSGI server, on the port that is the argument."""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402 - everything comes after the patches

import eventlet.wsgi  # noqa: E402

from tests.servers.app import app  # noqa: E402

eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1]))), app)
