"""Rules for files, directories and ports of the machine."""

import os
import shutil
from collections.abc import Iterator

from ..configuration import SOCKET_PATH, running_node, taken_ports
from ..layout import Layout, Place
from .finding import Rules, Told

RULES = Rules()


@RULES.error
def directory(node: Layout) -> Iterator[Told]:
    """The node keeps its key and its sockets in its directory."""
    if not os.access(node.directory, os.W_OK | os.X_OK):
        yield (
            str(node.directory),
            "the node cannot write here, where it keeps its key and its socket",
            "chown it to the node's user, or chmod u+rwx",
        )


@RULES.warning
def node_runs(node: Layout) -> Iterator[Told]:
    """One node runs in a directory."""
    pid = running_node(node.directory)
    if pid is not None:
        yield (
            str(node.directory),
            f"a node runs here already, as process {pid}",
            f"before starting another, end it: kill -INT {pid}",
        )


@RULES.error
def port_taken(node: Layout) -> Iterator[Told]:
    """A port is had by one process."""
    if running_node(node.directory) is not None:
        return
    endpoints = [transport.part("endpoint") for _worker, transport in node.transports()]
    tcp = [
        endpoint.value
        for endpoint in endpoints
        if endpoint.text("type") == "tcp" and isinstance(endpoint.get("port"), int)
    ]
    for port, reason in taken_ports(tcp):
        yield f"port {port}", f"it cannot be had ({reason})", "choose another, or end who has it"


@RULES.error
def socket_path(node: Layout) -> Iterator[Told]:
    """Linux limits the paths of sockets."""
    for _worker, transport in node.transports():
        endpoint = transport.part("endpoint")
        if endpoint.text("type") != "unix":
            continue
        path = os.fsencode(node.directory.resolve() / endpoint.text("path"))
        if len(path) > SOCKET_PATH:
            yield (
                f"{endpoint.where}.path",
                (
                    f"the socket's path has {len(path)} bytes, and {SOCKET_PATH} are the limit: "
                    f"{os.fsdecode(path)}"
                ),
                "move the project to a shorter path, or name a path such as /run/shop.sock",
            )


@RULES.error
def missing_files(node: Layout) -> Iterator[Told]:
    """Files that the configuration names are there."""
    for where, name in _named_files(node):
        if not (node.directory / name).exists():
            yield (
                where,
                f"there is no {name} (looked for in {node.directory})",
                "write its path relative to the node's directory, or make it",
            )


@RULES.error
def missing_executable(node: Layout) -> Iterator[Told]:
    """What a guest runs is there."""
    for worker in node.workers("guest"):
        options, name = worker.part("options"), worker.text("executable")
        workdir = node.directory / (options.text("workdir") or ".")
        # `flask wamp run` puts the running Python first on the path.
        if name and name != "python" and not (workdir / name).exists() and not shutil.which(name):
            yield (
                f"{worker.where}.executable",
                f"there is no {name!r}, neither in {workdir} nor on the path",
                "install it, or write its path",
            )


def _named_files(node: Layout) -> Iterator[tuple[str, str]]:
    for _worker, transport in node.transports():
        tls = transport.part("endpoint").part("tls")
        for key in ("certificate", "key", "dhparam"):
            yield from _named(tls, key)
        for key in ("chain_certificates", "ca_certificates"):
            yield from ((f"{tls.where}.{key}", name) for name in tls.texts(key))
    for service in node.services():
        if service.type in ("static", "upload"):
            yield from _named(service.place, "directory")
    for worker in node.workers("guest"):
        yield from _named(worker.part("options"), "workdir")
    for worker in node.workers("router", "container"):
        options = worker.part("options")
        yield from ((f"{options.where}.pythonpath", name) for name in options.texts("pythonpath"))
        yield from _named(options, "python")


def _named(place: Place, key: str) -> Iterator[tuple[str, str]]:
    name = place.text(key)
    if name:
        yield f"{place.where}.{key}", name
