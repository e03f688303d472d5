"""Node configurations: files, moved to another port or read from another directory."""

import copy
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .command import NodeError

DEFAULT_CONFIG = Path(".crossbar/config.json")


def free_port() -> int:
    """Return a TCP port that nothing on 127.0.0.1 listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_port(config: Mapping[str, Any], port: int) -> dict[str, Any]:
    """Return a node configuration whose web transport listens on *port*.

    The WebSocket origins that name the old port name the new one.

    :raises ValueError: the configuration has not exactly one transport on a TCP port.
    """
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    transports = [
        transport
        for worker in moved["workers"]
        for transport in worker.get("transports", ())
        if transport.get("endpoint", {}).get("type") == "tcp"
    ]
    if len(transports) != 1:
        raise ValueError(f"the configuration has {len(transports)} TCP transports, not one")
    endpoint = transports[0]["endpoint"]
    old = f":{endpoint['port']}"
    endpoint["port"] = port
    for path in transports[0].get("paths", {}).values():
        origins = path.get("options", {}).get("allowed_origins")
        if origins:
            path["options"]["allowed_origins"] = [
                f"{origin.removesuffix(old)}:{port}" if origin.endswith(old) else origin
                for origin in origins
            ]
    return moved


def from_elsewhere(config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Return a configuration whose relative Python paths are those of *directory*."""
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    for worker in moved["workers"]:
        options = worker.get("options", {})
        if "pythonpath" in options:
            options["pythonpath"] = [str((directory / p).resolve()) for p in options["pythonpath"]]
        variables = options.get("env", {}).get("vars", {})
        if "PYTHONPATH" in variables:
            variables["PYTHONPATH"] = str((directory / variables["PYTHONPATH"]).resolve())
    return moved


def prepared_config(path: Path, port: int | None) -> Path:
    """Return the configuration file at *path*, or a copy of it that listens on *port*.

    :raises NodeError: there is no such file, or the port is taken or not a port.
    :raises ValueError: the configuration is not JSON, or has not exactly one TCP transport.
    """
    if not path.exists():
        raise NodeError(
            f"there is no {path} here: run this in the directory that has it, or name a "
            "configuration with --config FILE"
        )
    config = json.loads(path.read_text())
    if port is None:
        return path
    if not 0 < port < 65536:
        raise NodeError(f"{port} is not a port: give a number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NodeError(
                f"port {port} cannot be had ({error.strerror}): choose another, make run PORT=9000"
            ) from None
    moved = on_port(config, port)
    if moved == config:
        return path
    copy_ = DEFAULT_CONFIG.parent / f"port-{port}.json"
    copy_.write_text(json.dumps(moved, indent=4))
    return copy_
