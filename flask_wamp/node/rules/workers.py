"""Rules for the controller, the workers and their components."""

import re
from collections import Counter
from collections.abc import Iterator

from ..layout import Layout, Place
from .finding import Rules, Told

RULES = Rules()

#: What Crossbar.io takes for the ``id`` of anything (``checkconfig.py``).
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{2,63}\Z")
RESTARTS = {
    "restart-always": "restarts a component without a pause, thousands of times in seconds",
    "restart-on-failed": "is never done: Crossbar.io compares it with another word",
}


@RULES.error
def parallel_start(node: Layout) -> Iterator[Told]:
    """Containers dial before the router listens."""
    options = node.root.part("controller").part("options")
    if options.get("enable_parallel_worker_start"):
        yield (
            "controller.options.enable_parallel_worker_start",
            "containers dial before the router listens, and the node does not start",
            "leave it out",
        )


@RULES.error
def router_first(node: Layout) -> Iterator[Told]:
    """Workers start in the order of the list."""
    workers = node.workers()
    kinds = [worker.text("type") for worker in workers]
    if "router" in kinds and kinds[0] != "router":
        yield (
            workers[0].where,
            f"a {kinds[0]} starts before the router, and has nothing to connect to",
            "put the router first in the list of workers",
        )


@RULES.error
def identifiers(node: Layout) -> Iterator[Told]:
    """Crossbar.io has a pattern for the ids of its parts, and takes each once."""
    places = node.workers()
    for worker in node.workers():
        for key in ("components", "transports", "realms"):
            places += worker.parts(key)
    for place in places:
        given = place.get("id")
        if given is not None and not IDENTIFIER.match(str(given)):
            yield (
                f"{place.where}.id",
                f"{given!r} cannot be an id",
                "write 3 to 64 of a-z, 0-9 and _, a letter first, as in 'views'",
            )
    counts = Counter(worker.text("id") for worker in node.workers() if worker.text("id"))
    for name, count in counts.items():
        if count > 1:
            yield "workers", f"{count} workers have the id {name!r}", "give each its own"


@RULES.warning
def dead_workers_stay_dead(node: Layout) -> Iterator[Told]:
    """Crossbar.io starts no worker again; only a node that ends can be."""
    shutdown = node.root.part("controller").part("options").get("shutdown")
    modes = [shutdown] if isinstance(shutdown, str) else shutdown
    if isinstance(modes, list) and modes and "shutdown_on_worker_exit" not in modes:
        yield (
            "controller.options.shutdown",
            "the node runs on without a worker that has ended, which nobody starts again",
            "leave it out: the node ends then, and what supervises it starts it again",
        )


@RULES.warning
def container_outlives_components(node: Layout) -> Iterator[Told]:
    """A component that fails to register is dropped, and the node says that it is ready."""
    for worker in node.workers("container"):
        options = worker.part("options")
        if options.get("shutdown") != "shutdown-on-any-component-stopped":
            yield (
                f"{options.where}.shutdown",
                "a component that cannot register what it serves is dropped without a word",
                'write "shutdown": "shutdown-on-any-component-stopped"',
            )


@RULES.warning
def restart(node: Layout) -> Iterator[Told]:
    """None of the ways in which a container restarts its components can be relied on."""
    for worker in node.workers("container"):
        options = worker.part("options")
        mode = options.text("restart")
        if mode in RESTARTS:
            yield (
                f"{options.where}.restart",
                f"{mode!r} {RESTARTS[mode]}",
                "leave it out, and let what supervises the node start it again",
            )


@RULES.error
def watch(node: Layout) -> Iterator[Told]:
    """A guest that is watched dies at the first change, for good."""
    for worker in node.workers():
        options = worker.part("options")
        if "watch" in options.value:
            yield (
                f"{options.where}.watch",
                "the first change ends the guest, and starting it again fails",
                "leave it out; while developing, flask wamp run --reload does that",
            )


@RULES.warning
def ignored_options(node: Layout) -> Iterator[Told]:
    """Options that Crossbar.io takes and ignores."""
    for worker in node.workers():
        options = worker.part("options")
        for name in ("expose_controller", "expose_shared", "reload_modules"):
            if options.get(name):
                yield f"{options.where}.{name}", "Crossbar.io ignores it", "leave it out"


@RULES.error
def guest_without_python_path(node: Layout) -> Iterator[Told]:
    """``pythonpath`` is for native workers only."""
    for worker in node.workers("guest"):
        options = worker.part("options")
        is_python = re.search(r"python|flask|gunicorn", worker.text("executable")) is not None
        if is_python and not options.part("env").part("vars").text("PYTHONPATH"):
            yield (
                f"{options.where}.env.vars.PYTHONPATH",
                "the guest does not find the application's modules",
                'write "env": {"inherit": true, "vars": {"PYTHONPATH": ".."}}',
            )


@RULES.warning
def no_python_path(node: Layout) -> Iterator[Told]:
    """Workers run in the node's directory, where the application is not."""
    for worker in node.workers("router", "container"):
        options = worker.part("options")
        needs = bool(worker.parts("components")) or any(
            service.type == "wsgi" and service.transport.where.startswith(worker.where)
            for service in node.services()
        )
        if needs and not options.texts("pythonpath"):
            yield (
                f"{options.where}.pythonpath",
                "the worker runs in the node's directory, and finds installed modules alone",
                'write "pythonpath": [".."]',
            )


def _realms(node: Layout) -> dict[str, Place]:
    return {
        realm.text("name"): realm
        for worker in node.workers("router")
        for realm in worker.parts("realms")
    }


@RULES.error
def unknown_realm(node: Layout) -> Iterator[Told]:
    """A component joins a realm that is there."""
    realms = _realms(node)
    for _worker, component in node.components("router", "container"):
        name = component.text("realm")
        if realms and name not in realms:
            yield (
                f"{component.where}.realm",
                f"there is no realm {name!r}",
                f"name one of {', '.join(sorted(realms))}",
            )


@RULES.error
def unknown_role(node: Layout) -> Iterator[Told]:
    """A role that nothing defines has no rights."""
    roles = node.roles()
    named = [
        (f"{component.where}.role", component.text("role"))
        for _worker, component in node.components("router")
    ]
    named += [
        (service.place.where, role)
        for service in node.services()
        if service.type in ("websocket", "rawsocket")
        for role in service.roles()
    ]
    for where, role in named:
        if roles and role and role not in roles:
            yield where, f"no realm has a role {role!r}", f"name one of {', '.join(sorted(roles))}"


@RULES.error
def no_meta_api(node: Layout) -> Iterator[Told]:
    """The node asks the router what is registered, and says so that it is ready."""
    for realm in _realms(node).values():
        options = realm.part("options")
        if options.get("enable_meta_api") is False:
            yield (
                f"{options.where}.enable_meta_api",
                "without the meta API the node cannot tell when it is ready",
                "leave it out, and keep it from strangers by their permissions",
            )
