"""Rules for what strangers may do: those who reach a port, browsers among them."""

from collections.abc import Iterator

from ...declare.allow import VISITOR
from ...permissions import grants, is_governed, matching, may, rule_for
from ..layout import USER, Layout
from .finding import Rules, Told

RULES = Rules()

#: What nobody calls a procedure; for asking what becomes of URIs that no rule is for.
ANY_URI = "any.uri.whatever"


@RULES.error
def strangers_register(node: Layout) -> Iterator[Told]:
    """Who registers a procedure gets everybody's calls of it."""
    for name, role in node.stranger_roles().items():
        for permission in role.parts("permissions"):
            if grants(permission.value, "register"):
                yield (
                    f"{permission.where}.allow.register",
                    f"anybody who reaches the port is {name!r}, and may serve procedures",
                    "let the backend alone register, over its Unix socket",
                )


@RULES.error
def strangers_kill(node: Layout) -> Iterator[Told]:
    """The meta API asks for the right to call, and for nothing else."""
    for name, role in node.stranger_roles().items():
        if may(role.value, "call", "wamp.session.kill_by_authrole"):
            yield (
                f"{role.where}.permissions",
                (
                    f"{name!r} may end every session with wamp.session.kill_by_authrole, and read "
                    "everybody's headers and cookies with wamp.session.get"
                ),
                (
                    'add {"uri": "wamp.", "match": "prefix", "allow": {}, "cache": false}, or grant '
                    "calls below your namespace alone"
                ),
            )


@RULES.error
def strangers_subscribe_to_all(node: Layout) -> Iterator[Told]:
    """Rights ignore how a subscription matches, so this one is a right to every event."""
    for name, role in node.stranger_roles().items():
        for permission in role.parts("permissions"):
            uri, match = matching(permission.value)
            reaches_meta = match == "prefix" and "wamp.".startswith(uri.removesuffix("."))
            if grants(permission.value, "subscribe") and (reaches_meta or uri.startswith("wamp.")):
                yield (
                    f"{permission.where}.allow.subscribe",
                    (
                        f"{name!r} may subscribe to everything by a prefix, the meta events included, "
                        "which carry other people's headers and cookies"
                    ),
                    'allow it below your namespace: {"uri": "com.example.", "match": "prefix"}',
                )


@RULES.warning
def right_to_a_namesake(node: Layout) -> Iterator[Told]:
    """Permissions are compared letter by letter, and ignore how a subscription matches."""
    for name, role in node.stranger_roles().items():
        for permission in role.parts("permissions"):
            uri, match = matching(permission.value)
            if not uri or uri.endswith("."):
                continue
            if match == "prefix" or (match == "exact" and grants(permission.value, "subscribe")):
                yield (
                    f"{permission.where}.uri",
                    f"what {name!r} may do on {uri!r} it may on {uri + 'endix'!r} as well"
                    + ("" if match == "prefix" else ", by subscribing to the prefix"),
                    f"end it in a dot: {uri + '.'!r}"
                    if match == "prefix"
                    else "keep topics that nobody may see under names that begin otherwise",
                )


@RULES.warning
def rights_are_cached(node: Layout) -> Iterator[Told]:
    """The cache has no limit, and an entry for each URI that a stranger thinks of."""
    for name, role in node.stranger_roles().items():
        for permission in role.parts("permissions"):
            if permission.get("cache") is True:
                yield (
                    f"{permission.where}.cache",
                    f"each URI that {name!r} thinks of stays in the router's memory",
                    'write "cache": false',
                )


@RULES.warning
def denials_are_cached(node: Layout) -> Iterator[Told]:
    """What no permission is for is denied, and the denial is kept."""
    for name, role in node.stranger_roles().items():
        decided_elsewhere = "authorizer" in role.value or is_governed(role.value)
        if not decided_elsewhere and rule_for(role.value, ANY_URI) is None:
            yield (
                f"{role.where}.permissions",
                f"each URI that {name!r} is denied stays in the router's memory",
                'add {"uri": "", "match": "prefix", "allow": {}, "cache": false}',
            )


@RULES.warning
def rights_in_the_configuration(node: Layout) -> Iterator[Told]:
    """Where the router has the application, what browsers may do stands in its decorators."""
    if not node.governs():
        return
    known = node.roles()
    logged_in = {name: known[name] for name in (VISITOR, USER) if name in known}
    for name, role in (logged_in | node.stranger_roles()).items():
        if role.get("permissions"):
            yield (
                f"{role.where}.permissions",
                (
                    f"the configuration says what {name!r} may do, so allow= in the application's "
                    "decorators counts for nothing there"
                ),
                'write "permissions": [], and @wamp.callee(allow=...) and wamp.topic(...)',
            )


@RULES.error
def nobody_governs(node: Layout) -> Iterator[Told]:
    """A role without permissions has those that an application declares, if there is one."""
    if node.governs():
        return
    for name, role in node.roles().items():
        if is_governed(role.value):
            yield (
                f"{role.where}.permissions",
                f"{name!r} may do nothing: no component of the router knows an application",
                (
                    'add a component {"type": "class", "classname": "flask_wamp.crossbar.WebSession"'
                    ', "extra": {"application": ...}, ...}, or give it permissions'
                ),
            )
