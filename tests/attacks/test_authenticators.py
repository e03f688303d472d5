"""An authenticator of the application that fails, hangs, or says what it must not."""

import pytest

from tests.attempts import attempt
from tests.node.logins import REFUSED, Member
from tests.node.support import LIMIT, wait_until

from .app import CONFIDENCE, MOODS
from .conftest import Fort

pytestmark = pytest.mark.node

SAYS_TOO_MUCH = ("trusted", "backend", "an-unknown-role")
FAILS = ("raises", "recurses", "exits")


def refused(fort: Fort, mood: str) -> list[str]:
    """Let somebody be refused for the application's mood, and return what was logged."""
    since = len(fort.node.log)
    assert fort.refusal(cookie=f"mood={mood}") == REFUSED
    told = [line for line in fort.told(since) if "a login was refused: " in line]
    # None where the minute has its five lines already.
    assert len(told) <= 1
    return told


@attempt(
    "login",
    "an authenticator that raises, or ends its thread",
    "`wamp.error.not_authorized`, the same text for all; its own text stays in the log",
)
@pytest.mark.parametrize("mood", FAILS)
def test_authenticator_that_fails(fort: Fort, mood: str) -> None:
    refused(fort, mood)
    # The developer reads it, once in a minute.
    assert fort.node.log.count(f"RuntimeError: {CONFIDENCE}") <= 1


@attempt(
    "login",
    "an authenticator that returns the role `trusted`, `backend`, or one that nobody knows",
    "`wamp.error.not_authorized`",
)
@pytest.mark.parametrize("mood", SAYS_TOO_MUCH)
def test_authenticator_that_says_too_much(fort: Fort, mood: str) -> None:
    refused(fort, mood)


@attempt("login", "an authenticator that returns nonsense", "`wamp.error.not_authorized`")
def test_authenticator_that_returns_nonsense(fort: Fort) -> None:
    for mood in set(MOODS) - {*SAYS_TOO_MUCH, *FAILS, "hangs"}:
        refused(fort, mood)


@attempt(
    "login",
    "an authenticator that hangs, for ten pages at once",
    "`wamp.error.not_authorized` after 3 s; others are let in meanwhile",
)
def test_authenticator_that_hangs(fort: Fort) -> None:
    def others_are_let_in_meanwhile() -> bool:
        hanging = [Member.try_to(fort.url, cookie="mood=hangs") for _ in range(10)]
        assert fort.serves()
        meanwhile = not any(session.joined.done() for session in hanging)
        for session in hanging:
            with pytest.raises(ConnectionError, match=REFUSED):
                session.joined.result(LIMIT)
        return meanwhile

    # A busy machine may take longer than 3 s for what the others do.
    assert any(others_are_let_in_meanwhile() for _ in range(4))


@attempt("login", "many logins that are refused, to fill the log", "five lines in a minute")
def test_refusals_are_logged_and_not_for_ever(fort: Fort) -> None:
    for _ in range(12):
        refused(fort, "a-number")

    def told() -> list[str]:
        return [line for line in fort.told(0) if "a login was refused: " in line]

    wait_until(
        lambda: any("further ones are not logged for 60 s" in line for line in told()), "it says so"
    )
    assert 5 <= len(told()) < 12
