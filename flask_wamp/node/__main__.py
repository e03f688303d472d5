"""``python -m flask_wamp.node``: what ``flask wamp run`` does, where there is no ``flask``."""

import argparse
from pathlib import Path

from .command import NodeError
from .configuration import DEFAULT_CONFIG
from .foreground import LOGLEVELS, run


def main(arguments: list[str] | None = None) -> None:
    """Start the node of a directory in the foreground, on a port; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m flask_wamp.node",
        description="Start a Crossbar.io node in the foreground, with a short log. Ctrl-C ends it.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s")
    parser.add_argument("--port", type=int, help="listen on this port instead of the file's")
    parser.add_argument(
        "--loglevel",
        choices=LOGLEVELS,
        default="warn",
        help="how much Crossbar says; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    try:
        run(options.config, options.port, options.loglevel)
    except (NodeError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
