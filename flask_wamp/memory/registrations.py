"""What a router says of its registrations (WAMP spec, 11.3): those of the application, and stubs."""

from collections.abc import Collection
from typing import Any

from ..errors import INVALID_ARGUMENT, RemoteError
from .routing import Key

LIST = "wamp.registration.list"
GET = "wamp.registration.get"
NO_REGISTRATION = "wamp.error.no_such_registration"
#: The procedures that :func:`answer` answers.
PROCEDURES = (LIST, GET)

# By the registrations: an id means the same for ever, whichever test client is asked.
_ids: dict[Key, int] = {}


def answer(uri: str, args: list[Any], registered: Collection[Key]) -> Any:
    """Return what a router answers with: the ids by match policy, or what one of them stands for.

    :param registered: what somebody serves.
    :raises RemoteError: there is no such registration.
    """
    ids = {key: _ids.setdefault(key, len(_ids) + 1) for key in registered}
    if uri == LIST:
        found: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
        for (_uri, match), number in ids.items():
            found[match].append(number)
        return found
    if len(args) != 1:
        raise RemoteError.from_uri(INVALID_ARGUMENT, ["takes the id of a registration"])
    for (name, match), number in ids.items():
        if number == args[0]:
            return {"id": number, "uri": name, "match": match}
    raise RemoteError.from_uri(NO_REGISTRATION, [f"no registration {args[0]}"])
