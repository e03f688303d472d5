"""Visitors, and people who are logged in, in a browser each."""

import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.people import PASSWORD, Person

from .conftest import Poll, Visitor, Welcome

pytestmark = pytest.mark.browser

REFUSED = "Failed to load resource: "


@pytest.fixture(autouse=True)
def limit() -> None:
    """Wait as long as a busy machine may need, for what comes in a fraction of a second."""
    expect.set_options(timeout=15_000)


def live(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_text("live")
    return page


def test_visitor_registers_creates_and_logs_out(visitor: Visitor, poll: Poll) -> None:
    name = f"Ann {secrets.token_hex(4)}"
    page = live(visitor.open(poll.url))
    expect(page.get_by_role("button", name="Create poll")).to_have_count(0)

    page.get_by_role("navigation").get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="Register").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()

    expect(page.locator("#user")).to_have_text(name)
    page.get_by_label("Question").fill("Whose is this?")
    page.get_by_label("Choices").fill("Mine\nYours")
    page.get_by_role("button", name="Create poll").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Whose is this?")
    expect(page.get_by_role("button", name="Close this poll")).to_be_visible()
    live(page)

    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#user")).to_have_count(0)
    expect(page.get_by_role("button", name="Create poll")).to_have_count(0)
    live(page)


def test_wrong_password_is_told(visitor: Visitor, poll: Poll) -> None:
    visitor.expected = REFUSED
    page = visitor.open(f"{poll.node.url}auth/login")
    page.get_by_label("Name").fill(poll.owner.name)
    page.get_by_label("Password").fill("not the right one")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "There is no user of that name and password."
    )


def test_owner_closes_the_poll_for_the_other_browser(welcome: Welcome, poll: Poll) -> None:
    """Only the owner can; who looks on sees it at once, and can vote no more."""
    owner = live(welcome().log_in(poll.owner).open(poll.url))
    reader = live(welcome().log_in(Person(poll.node.url)).open(poll.url))
    visitor = live(welcome().open(poll.url))
    for other in (reader, visitor):
        expect(other.get_by_role("button", name="Close this poll")).to_have_count(0)
        expect(other.locator("#closed")).to_be_hidden()
    poll.vote("Tea")
    expect(visitor.locator("[data-total]")).to_have_text("1")

    owner.get_by_role("button", name="Close this poll").click()

    for page in (owner, reader, visitor):
        expect(page.locator("#closed")).to_be_visible()
        for button in page.locator("#vote button").all():
            expect(button).to_be_disabled()
    expect(owner.get_by_role("button", name="Close this poll")).to_have_count(0)
    assert poll.results() == {"Tea": 1, "Coffee": 0, "Water": 0}


#: Calls a procedure as the page does, and returns the answer, or the URI of the error.
CALL = """async ([uri, details]) => {
  try { return await call(uri, details); } catch (error) { return error.errorUri; }
}"""
CREATE = "com.example.polls.create"
DENIED = "wamp.error.not_authorized"


def test_page_is_its_user_over_wamp_until_he_logs_out(welcome: Welcome, poll: Poll) -> None:
    owner = welcome().log_in(poll.owner)
    page = live(owner.open(poll.url))
    visitor = live(welcome().open(poll.url))
    reader = live(welcome().log_in(Person(poll.node.url)).open(poll.url))
    asked = {"question": f"Over WAMP, {secrets.token_hex(4)}?", "choices": ["Yes", "No"]}

    assert visitor.evaluate(CALL, [CREATE, asked]) == DENIED
    created = page.evaluate(CALL, [CREATE, asked])
    assert created["question"] == asked["question"]
    expect(visitor.locator("#polls")).to_contain_text(asked["question"])
    close = ["com.example.polls.close", {"poll_id": created["id"]}]
    assert visitor.evaluate(CALL, close) == DENIED
    assert reader.evaluate(CALL, close) == DENIED
    assert page.evaluate(CALL, close)["closed"] is True

    # Another tab of the same browser: this one's session ends with it, and comes back as a visitor's.
    owner.open(poll.url).get_by_role("button", name="Log out").click()
    page.wait_for_function(f"""async () => {{
      try {{ await call("{CREATE}", {{}}); }} catch (error) {{ return error.errorUri === "{DENIED}"; }}
    }}""")
    live(page)
