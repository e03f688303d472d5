"""The application under gevent's own WSGI server, on the port that is the argument."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - everything comes after the patches

from gevent.pywsgi import WSGIServer  # noqa: E402

from tests.servers.app import app  # noqa: E402

WSGIServer(("127.0.0.1", int(sys.argv[1])), app).serve_forever()
