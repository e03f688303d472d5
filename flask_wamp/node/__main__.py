"""``python -m flask_wamp.node``: starts the node of a directory in the foreground."""

import argparse
import os
import sys
from pathlib import Path

from .command import NodeError, crossbar_command, path_with_python
from .configuration import DEFAULT_CONFIG, prepared_config, refuse_unusable

#: What runs Crossbar.io's controller.
CONTROLLER = "flask_wamp._twisted.engine.controller"


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
        choices=("error", "warn", "info", "debug"),
        default="warn",
        help="how much Crossbar says; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    try:
        crossbar_command()
        directory = DEFAULT_CONFIG.parent
        if directory.exists():
            refuse_unusable(directory)
        config = prepared_config(options.config, options.port)
    except (NodeError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print("Starting the node: the page is there when it says so, in some 10 seconds", flush=True)
    environment = {**os.environ, "PATH": path_with_python(os.environ)}
    os.execve(
        sys.executable,
        [sys.executable, "-m", CONTROLLER, "start", "--cbdir", str(directory),
         "--config", str(config.resolve()), "--loglevel", options.loglevel],
        environment,
    )  # fmt: skip


if __name__ == "__main__":
    main()
