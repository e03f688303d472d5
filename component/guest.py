"""The guest process: serves the views of flask_app outside of Crossbar's own workers.

``python -m component.guest`` connects to the router that ``FLASK_WAMP_URL`` names.
"""

import signal
import sys

from flask_app.extensions import wamp
from flask_app.wsgi import app
from flask_wamp import WAMPError

#: Seconds that the router may take to listen: Crossbar starts its workers one after another.
START_TIMEOUT = 30.0


def main() -> None:
    """Serve until SIGTERM or SIGINT; end with 1 where the procedures cannot be registered."""
    try:
        wamp.start(app, timeout=START_TIMEOUT)
    except WAMPError as error:
        sys.exit(f"flask-wamp: the guest cannot serve {app.name}: {error}")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    wamp.stop(app)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
