"""Serving from the processes of a WSGI server, ``WAMP_SERVE``: when each of them begins."""
