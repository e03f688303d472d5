"""Who is let in, whatever he brings along."""

from typing import Any

import pytest

from flask_wamp.login.door import Door, Request
from flask_wamp.login.entering import Refused
from flask_wamp.state import state_of

from .support import LOGIN, application, cookie


class NothingRevoked:
    """What is valid no more: nothing."""

    def is_revoked(self, _authid: str, _made: int, _login: str | None = None) -> bool:
        """Tell whether a login or ticket has ended."""
        return False

    def use(self, _number: str, _expires: int) -> bool:
        """Use a ticket up."""
        return True


class EverythingRevoked(NothingRevoked):
    """What is valid no more: everything."""

    def is_revoked(self, _authid: str, _made: int, _login: str | None = None) -> bool:
        """Tell whether a login or ticket has ended."""
        return True


def test_door_is_closed_to_an_ended_login_whatever_its_role() -> None:
    """The guards of a view would take the visitor for the user that the cookie names."""
    app, _wamp = application()
    headers = {"host": "shop.example", "cookie": cookie(app, user_id=7, _wamp_login=LOGIN)}
    registry = state_of(app).registry
    request = Request("anonymous", None, headers)
    entry = Door(app, registry, NothingRevoked()).enter(request)
    assert (entry.authrole, entry.login) == ("anonymous", LOGIN)
    with pytest.raises(Refused, match="has ended"):
        Door(app, registry, EverythingRevoked()).enter(request)


def with_certificate(**headers: str) -> tuple[str, str]:
    """Return who is let in with a certificate, and these headers."""
    app, wamp = application()

    @wamp.credentials("tls")
    def known(_certificate: dict[str, Any]) -> tuple[str, str]:
        return "device", "printer"

    door = Door(app, state_of(app).registry, NothingRevoked())
    request = Request(
        "tls", None, {"host": "shop.example", **headers}, secure=True, certificate={"subject": {}}
    )
    entry = door.enter(request)
    return entry.authrole, entry.authid


def test_door_is_open_to_certificates_of_programs_and_of_the_own_page() -> None:
    assert with_certificate() == ("device", "printer")
    assert with_certificate(origin="https://shop.example") == ("device", "printer")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://shop.example", ""])
def test_door_is_closed_to_certificates_that_another_page_brings(origin: str) -> None:
    with pytest.raises(Refused, match="a page of another site"):
        with_certificate(origin=origin)
