"""Rules for who is let in, and by whom."""

from collections.abc import Iterator

from ..layout import AUTHENTICATOR, Layout, Place
from .finding import Rules, Told

RULES = Rules()


def _methods(node: Layout) -> Iterator[Place]:
    """Yield each authentication method that a service offers."""
    for service in node.services():
        auth = service.place.part("auth")
        for method in auth.value:
            yield auth.part(str(method))


def _has_web_session(node: Layout) -> bool:
    """Tell whether a component of a router has the application that the node hosts."""
    hosted = {application for _place, application in node.hosted()}
    return any(
        node.application_of(component) in hosted for _worker, component in node.components("router")
    )


@RULES.error
def authenticator_role(node: Layout) -> Iterator[Told]:
    """Any role of an authenticator's own hangs the handshake in a router."""
    for place in _methods(node):
        role = place.get("authenticator-role")
        if place.get("type") == "dynamic" and role not in (None, "trusted"):
            yield (
                f"{place.where}.authenticator-role",
                f"with {role!r} no handshake ever ends",
                'write "authenticator-role": "trusted"',
            )


@RULES.error
def nobody_answers_logins(node: Layout) -> Iterator[Told]:
    """Who logs in is what a ``WebSession`` says, by a call that needs its realm and its role."""
    there = _has_web_session(node)
    for place in _methods(node):
        if place.get("authenticator") != AUTHENTICATOR:
            continue
        if not there:
            yield (
                f"{place.where}.authenticator",
                "nobody says who logs in, so everybody is refused",
                "give the router a component of the class WebSession with the application",
            )
        for key, example in (("authenticator-realm", "realm1"), ("authenticator-role", "trusted")):
            if place.get(key) is None:
                yield (
                    f"{place.where}.{key}",
                    "without it the application is not asked, and everybody is refused",
                    f'write "{key}": "{example}"',
                )


@RULES.warning
def logins_without_the_application(node: Layout) -> Iterator[Told]:
    """Whoever is logged in to the application is a stranger on WAMP, unless it is asked."""
    if not _has_web_session(node):
        return
    for service in node.services():
        if service.type == "websocket" and service.is_remote and _is_static(service.place):
            yield (
                f"{service.place.where}.auth.anonymous",
                "who has logged in to the Flask application is a visitor all the same",
                f'let it be asked: "type": "dynamic", "authenticator": "{AUTHENTICATOR}"',
            )


def _is_static(place: Place) -> bool:
    """Tell whether whoever comes without a proof gets the one role of the configuration."""
    auth = place.part("auth")
    if not auth.value:
        return True
    return "anonymous" in auth.value and auth.part("anonymous").get("type") in (None, "static")
