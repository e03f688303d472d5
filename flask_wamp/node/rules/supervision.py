"""Rules for how a component's processes are supervised."""

from collections.abc import Iterator

from ..._twisted.supervise.settings import wrong_in
from ..layout import Layout
from .finding import Rules, Told

RULES = Rules()


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
