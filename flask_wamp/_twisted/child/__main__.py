"""``python -m flask_wamp._twisted.child SETTINGS``; see the package."""

import sys

from .running import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
