"""Rules for how a component's processes are supervised."""

from collections.abc import Iterator
from difflib import get_close_matches

from ..._twisted.supervise.settings import NAMES, SUPERVISED, wrong_in
from ..layout import Layout
from .finding import Rules, Told

RULES = Rules()
#: How much like a setting a key is that is likely to be meant for it; others are a component's own.
ALIKE = 0.82
#: What the router's component reads besides.
ROUTER_NAMES = {"hosts", "join_within", "max_body"}


@RULES.error
def supervision_settings(node: Layout) -> Iterator[Told]:
    """Settings that cannot be: the component refuses them, and the node does not start."""
    for _worker, component in node.components("router", "container"):
        extra = component.part("extra")
        for key, text in wrong_in(extra.value):
            wrong, _, remedy = text.partition(": ")
            yield f"{extra.where}.{key}", f"{key} {wrong}, which cannot be", remedy


@RULES.error
def processes_without_a_router(node: Layout) -> Iterator[Told]:
    """Where the processes of a component find the router is known of a Unix socket alone."""
    for _worker, component in node.components("container"):
        extra = component.part("extra")
        kind = component.part("transport").part("endpoint").text("type")
        if extra.get("processes") and not extra.get("url") and kind != "unix":
            yield (
                f"{extra.where}.url",
                "the component's processes do not know where the router is",
                'name it, as in "url": "unix:router.sock", or connect over a Unix socket',
            )


@RULES.warning
def misspelled_settings(node: Layout) -> Iterator[Told]:
    """Keys that nobody reads: a node with ``proceses`` would be one that nobody supervises."""
    for worker, component in node.components("router", "container"):
        names = NAMES | ROUTER_NAMES if worker.text("type") == "router" else NAMES
        extra = component.part("extra")
        for key in set(extra.value) - names:
            for meant in get_close_matches(key, names, n=1, cutoff=ALIKE):
                yield f"{extra.where}.{key}", f"{key} is no setting", f"write {meant}"


@RULES.warning
def settings_without_effect(node: Layout) -> Iterator[Told]:
    """Settings for processes that a supervisor has, where there is none."""
    for _worker, component in node.components("router"):
        extra = component.part("extra")
        for key in sorted({"processes", *SUPERVISED} & set(extra.value)):
            remedy = "write it into the extra of the container's component"
            yield f"{extra.where}.{key}", f"{key} has no effect in the router", remedy
    for _worker, component in node.components("container"):
        extra = component.part("extra")
        if extra.get("processes"):
            continue
        for key in sorted(SUPERVISED & set(extra.value)):
            remedy = 'let processes serve, as in "processes": 1, or leave it out'
            yield f"{extra.where}.{key}", f"{key} has no effect without processes", remedy
