"""The page in Chromium: live, without JavaScript, with a router that comes and goes."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from flask_app import db, polls
from flask_wamp.node import CrossbarNode

from .conftest import ROOT, Poll, Visitor, Welcome

pytestmark = pytest.mark.browser

WRONG_QUESTION = "The question has to be text of 1 to 200 characters."
OFF = "live updates are off"
# What Chromium writes about a page or file that was refused, and about a router that is away.
REFUSED = "Failed to load resource: "
NO_ROUTER = "WebSocket connection to "

CALL, RESULT, ERROR = 48, 50, 8


@pytest.fixture(autouse=True)
def limit() -> None:
    """Wait as long as a busy machine may need, for what comes in a fraction of a second."""
    expect.set_options(timeout=15_000)


def state(page: Page) -> Locator:
    return page.locator("#connection")


def live(page: Page) -> Page:
    expect(state(page)).to_have_text("live")
    return page


def vote_button(page: Page, text: str) -> Locator:
    return page.get_by_role("button", name=f"Vote for {text}", exact=True)


def expect_numbers(page: Page, **votes: int) -> None:
    """Expect votes, percentages, bars and the total that belong to each other."""
    total = sum(votes.values())
    for text, count in votes.items():
        row = page.get_by_role("listitem").filter(has=page.get_by_text(text, exact=True))
        percent = f"{(200 * count + total) // (2 * total or 1)}%"
        expect(row.locator("[data-votes]")).to_have_text(str(count))
        expect(row.locator("[data-percent]")).to_have_text(percent)
        expect(row.locator("rect")).to_have_attribute("width", percent)
    expect(page.locator("[data-total]")).to_have_text(str(total))


def expect_message(page: Page, text: str, *, error: bool = False) -> None:
    """Expect a message where screen readers announce it."""
    message = page.locator("#message")
    expect(message).to_have_text(text)
    expect(message).to_have_attribute("aria-live", "polite")
    expect(message).to_have_class("error" if error else "")


# --- live


def test_vote_in_one_page_moves_the_other(welcome: Welcome, poll: Poll) -> None:
    voter, watcher = live(welcome().open(poll.url)), live(welcome().open(poll.url))
    expect_numbers(watcher, Tea=0, Coffee=0, Water=0)

    vote_button(voter, "Tea").click()

    for page in (voter, watcher):
        expect_numbers(page, Tea=1, Coffee=0, Water=0)
    expect_message(voter, "Your vote for “Tea” is counted.")
    expect_message(watcher, "")

    vote_button(watcher, "Coffee").click()

    for page in (voter, watcher):
        expect_numbers(page, Tea=1, Coffee=1, Water=0)
    assert poll.results() == {"Tea": 1, "Coffee": 1, "Water": 0}


def test_vote_does_not_load_the_page_anew(visitor: Visitor, poll: Poll) -> None:
    page = live(visitor.open(poll.url))
    page.evaluate("window.sameAsBefore = true")

    vote_button(page, "Tea").click()

    expect_numbers(page, Tea=1, Coffee=0, Water=0)
    assert page.evaluate("window.sameAsBefore") is True


def test_summary_follows_the_votes(welcome: Welcome, poll: Poll) -> None:
    pages = [live(welcome().open(poll.url)) for _ in range(2)]
    for page in pages:
        expect(page.locator("#summary")).to_have_text("Nobody has voted yet.")

    vote_button(pages[0], "Tea").click()
    for page in pages:
        expect(page.locator("#summary")).to_have_text("Tea leads with 100 % of 1 vote.")

    vote_button(pages[1], "Water").click()
    for page in pages:
        expect(page.locator("#summary")).to_have_text("Tea and Water are level at 1 of 2 votes.")

    poll.vote("Water")
    for page in pages:
        expect(page.locator("#summary")).to_have_text("Water leads with 67 % of 3 votes.")


def test_page_comes_with_numbers_and_summary(visitor: Visitor, poll: Poll) -> None:
    """What the server wrote, before any script has run."""
    poll.vote("Tea")
    visitor.context.route("**/app.js", lambda route: route.abort())
    visitor.expected = REFUSED

    page = visitor.open(poll.url)

    expect_numbers(page, Tea=1, Coffee=0, Water=0)
    expect(page.locator("#summary")).to_have_text("Tea leads with 100 % of 1 vote.")


def test_created_poll_appears_in_the_other_page(welcome: Welcome, poll: Poll) -> None:
    author = live(welcome().log_in(poll.owner).open(poll.url))
    reader = live(welcome().open(poll.url))
    question = "Is <b>this</b> & “that” shown as it is?"

    author.get_by_label("Question").fill(question)
    author.get_by_label("Choices").fill("Yes\nNo")
    author.get_by_role("button", name="Create poll").click()

    expect(author.get_by_role("heading", level=1)).to_have_text(question)
    live(author)
    first = reader.get_by_role("region", name="Other polls").get_by_role("link").first
    expect(first).to_have_text(question)
    first.click()
    expect(reader.get_by_role("heading", level=1)).to_have_text(question)
    assert reader.url == author.url


def test_votes_in_another_poll_move_nothing(visitor: Visitor, poll: Poll) -> None:
    other = Poll(poll.node, "What do you eat?", ["Bread", "Rice"])
    page = live(visitor.open(poll.url))

    other.vote("Bread")
    poll.vote("Tea")

    expect_numbers(page, Tea=1, Coffee=0, Water=0)


def test_forty_votes_at_once_end_in_the_exact_numbers(visitor: Visitor, poll: Poll) -> None:
    """By twenty calls of the page's own session, and twenty requests of the page."""
    page = live(visitor.open(poll.url))

    totals = page.evaluate(
        """async ({ url, pollId, choices }) => {
          const wampy = new Wampy("/ws", { realm: "realm1" });
          await wampy.connect();
          const overWamp = async (choice) =>
            (await wampy.call("com.example.polls.vote", { poll_id: pollId, choice })).argsList[0];
          const overHttp = async (choice) =>
            (await fetch(`/polls/${pollId}/votes`, {
              method: "POST",
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify({ choice }),
            })).json();
          const votes = Array.from({ length: 40 }, (_, i) =>
            (i % 2 ? overWamp : overHttp)(choices[i < 10 ? 0 : 1]));
          const totals = (await Promise.all(votes)).map((results) => results.total);
          await wampy.disconnect();
          return totals;
        }""",
        {"pollId": poll.id, "choices": [poll.choices["Tea"], poll.choices["Water"]]},
    )

    assert sorted(totals) == list(range(1, 41))
    expect_numbers(page, Tea=10, Coffee=0, Water=30)
    expect(page.locator("#summary")).to_have_text("Water leads with 75 % of 40 votes.")


# --- the router goes, and comes again


@pytest.mark.slow
def test_page_without_a_router_says_so_and_catches_up_later(
    visitor: Visitor, tmp_path: Path
) -> None:
    """With a node of its own: the test ends what it starts."""
    visitor.expected = NO_ROUTER
    database = tmp_path / "polls.sqlite"
    configuration = ROOT / ".crossbar" / "config.json"
    with CrossbarNode(configuration, env={"FLASK_DATABASE": str(database)}) as node:
        poll = Poll(node, "Does it come again?", ["Yes", "No"])
        page = live(visitor.open(poll.url))
        vote_button(page, "Yes").click()
        expect_numbers(page, Yes=1, No=0)

        node.kill()
        expect(state(page)).to_have_text("offline")
        expect(state(page)).to_have_attribute("data-state", "offline")
        expect_numbers(page, Yes=1, No=0)

        with closing(db.connect(database)) as connection:
            polls.vote(connection, poll.id, poll.choices["No"])
            polls.vote(connection, poll.id, poll.choices["No"])
        node.start()
        live(page)
        expect_numbers(page, Yes=1, No=2)
        expect(page.locator("#summary")).to_have_text("No leads with 67 % of 3 votes.")

        # It follows again, and votes again.
        poll.vote("Yes")
        expect_numbers(page, Yes=2, No=2)
        vote_button(page, "Yes").click()
        expect_numbers(page, Yes=3, No=2)


def wamp_filter(page: Page, answer: Callable[[WebSocketRoute, list[Any]], bool]) -> None:
    """Let *answer* see each message of the page to the router; what it handles goes no further."""

    def route(websocket: WebSocketRoute) -> None:
        server = websocket.connect_to_server()

        def on_message(data: str | bytes) -> None:
            if not answer(websocket, json.loads(data)):
                server.send(data)

        websocket.on_message(on_message)

    page.route_web_socket(re.compile(r"/ws$"), route)


def opened_with_filter(
    visitor: Visitor, poll: Poll, answer: Callable[[WebSocketRoute, list[Any]], bool]
) -> Page:
    page = visitor.open(poll.url)
    wamp_filter(page, answer)
    page.reload()
    return live(page)


def is_call(message: list[Any], procedure: str) -> bool:
    return bool(message[0] == CALL and message[3] == f"com.example.polls.{procedure}")


def test_page_is_connecting_until_it_has_the_results(visitor: Visitor, poll: Poll) -> None:
    """Before that it must not say that it is live; a vote goes by the form meanwhile."""

    def hold(websocket: WebSocketRoute, message: list[Any]) -> bool:
        return is_call(message, "results")

    page = visitor.open(poll.url)
    wamp_filter(page, hold)
    page.reload()
    expect(state(page)).to_have_text("connecting…")

    vote_button(page, "Tea").click()

    expect_numbers(page, Tea=1, Coffee=0, Water=0)
    expect(state(page)).to_have_text("connecting…")
    assert poll.results()["Tea"] == 1


def test_vote_whose_connection_breaks_is_not_sent_twice(visitor: Visitor, poll: Poll) -> None:
    def break_off(websocket: WebSocketRoute, message: list[Any]) -> bool:
        if not is_call(message, "vote"):
            return False
        websocket.close()
        return True

    page = opened_with_filter(visitor, poll, break_off)

    vote_button(page, "Tea").click()

    expect_message(
        page, "Your vote for “Tea”: The connection broke, so it may not be counted.", error=True
    )
    live(page)
    assert poll.results()["Tea"] == 0


def test_vote_goes_by_the_form_when_flask_has_left_the_router(visitor: Visitor, poll: Poll) -> None:
    def nobody_there(websocket: WebSocketRoute, message: list[Any]) -> bool:
        if not is_call(message, "vote"):
            return False
        websocket.send(
            json.dumps([ERROR, CALL, message[1], {}, "wamp.error.no_such_procedure", ["none"]])
        )
        return True

    page = opened_with_filter(visitor, poll, nobody_there)
    page.evaluate("window.sameAsBefore = true")

    vote_button(page, "Tea").click()

    page.wait_for_function("window.sameAsBefore === undefined")
    expect_numbers(page, Tea=1, Coffee=0, Water=0)
    assert poll.results()["Tea"] == 1


def test_router_that_falls_silent_is_left(visitor: Visitor, poll: Poll) -> None:
    """A network that goes away closes nothing: the page stops waiting by itself."""
    silent = [False]

    def fall_silent(websocket: WebSocketRoute, message: list[Any]) -> bool:
        return silent[0]

    page = visitor.open(poll.url)
    wamp_filter(page, fall_silent)
    page.clock.install()
    page.reload()
    live(page)
    silent[0] = True

    vote_button(page, "Tea").click()
    page.clock.fast_forward(16_000)

    expect_message(
        page, "Your vote for “Tea”: The connection broke, so it may not be counted.", error=True
    )
    expect(state(page)).to_have_text("offline")
    silent[0] = False
    page.clock.fast_forward(16_000)
    live(page)


# --- errors


def test_refused_vote_is_told_in_the_live_region(visitor: Visitor, poll: Poll) -> None:
    page = live(visitor.open(poll.url))
    vote_button(page, "Tea").evaluate("button => { button.value = '99999'; }")

    vote_button(page, "Tea").click()

    expect_message(page, f"Your vote for “Tea”: Poll {poll.id} has no choice 99999.", error=True)
    expect_numbers(page, Tea=0, Coffee=0, Water=0)

    vote_button(page, "Water").click()
    expect_message(page, "Your vote for “Water” is counted.")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("question", [" ", "x" * 10_000], ids=["blank", "10000"])
def test_refused_question_is_told_and_can_be_corrected(
    welcome: Welcome, poll: Poll, question: str, javascript: bool
) -> None:
    """By a browser that does not check, or not enough; what was entered is not lost."""
    visitor = welcome(java_script_enabled=javascript).log_in(poll.owner)
    visitor.expected = REFUSED
    page = visitor.open(poll.url)
    if javascript:
        live(page)
    field, choices = page.get_by_label("Question"), page.get_by_label("Choices")
    expect(field).to_have_attribute("maxlength", "200")
    field.evaluate("field => field.removeAttribute('maxlength')")
    field.fill(question)
    choices.fill("Yes\nNo")

    page.get_by_role("button", name="Create poll").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(WRONG_QUESTION)
    page.go_back()
    expect(field).to_have_value(question)
    expect(choices).to_have_value("Yes\nNo")
    field.fill("Is it better now?")
    page.get_by_role("button", name="Create poll").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is it better now?")


def test_empty_question_is_not_even_sent(visitor: Visitor, poll: Poll) -> None:
    page = live(visitor.log_in(poll.owner).open(poll.url))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_label("Choices").fill("Yes\nNo")

    page.get_by_role("button", name="Create poll").click()

    expect(page.get_by_label("Question")).to_be_focused()
    assert page.get_by_label("Question").evaluate("field => field.validity.valueMissing")
    assert "POST" not in sent


def test_unknown_poll_has_a_way_out(visitor: Visitor, poll: Poll) -> None:
    visitor.expected = REFUSED
    page = visitor.open(f"{poll.node.url}?poll=999999")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no poll 999999.")

    page.get_by_role("link", name="Show the newest poll").click()

    live(page)


# --- without JavaScript


def test_everything_works_without_javascript(welcome: Welcome, poll: Poll) -> None:
    page = welcome(java_script_enabled=False).log_in(poll.owner).open(poll.url)
    expect(state(page)).to_have_text(OFF)

    vote_button(page, "Coffee").click()
    expect_numbers(page, Tea=0, Coffee=1, Water=0)
    expect(page.locator("#summary")).to_have_text("Coffee leads with 100 % of 1 vote.")

    page.get_by_label("Question").fill("Does this need a script?")
    page.get_by_label("Choices").fill("Yes\n\nNo\n")
    page.get_by_role("button", name="Create poll").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Does this need a script?")
    vote_button(page, "No").click()
    expect_numbers(page, Yes=0, No=1)

    page.get_by_role("link", name="What do you drink?").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What do you drink?")


def test_vote_without_javascript_moves_a_live_page(welcome: Welcome, poll: Poll) -> None:
    watcher = live(welcome().open(poll.url))
    voter = welcome(java_script_enabled=False).open(poll.url)

    vote_button(voter, "Water").click()

    for page in (voter, watcher):
        expect_numbers(page, Tea=0, Coffee=0, Water=1)


def test_page_without_its_wamp_client_says_so_and_works(visitor: Visitor, poll: Poll) -> None:
    visitor.context.route("**/vendor/wampy.min.js", lambda route: route.abort())
    visitor.expected = REFUSED
    page = visitor.open(poll.url)
    expect(state(page)).to_have_text(OFF)

    vote_button(page, "Tea").click()

    expect_numbers(page, Tea=1, Coffee=0, Water=0)
    expect(state(page)).to_have_text(OFF)


# --- for everybody


def test_every_control_has_a_name(visitor: Visitor, poll: Poll) -> None:
    page = live(visitor.log_in(poll.owner).open(poll.url))

    controls = focusable(page)

    named = {(role, name) for role, name in controls if role != "link"}
    assert named == {
        ("button", "Vote for Tea"),
        ("button", "Vote for Coffee"),
        ("button", "Vote for Water"),
        ("textbox", "Question"),
        ("textbox", "Choices"),
        ("button", "Create poll"),
        ("button", "Close this poll"),
        ("button", "Log out"),
    }
    assert ("link", "Live poll") in controls
    assert all(name for _role, name in controls)
    expect(page.get_by_role("region", name="What do you drink?")).to_be_visible()
    expect(page.get_by_label("Choices")).to_have_accessible_description(
        "Two to eight, one on each line."
    )
    expect(state(page)).to_have_role("status")


def focusable(page: Page) -> list[tuple[str, str]]:
    """Return role and name of every control, as a screen reader gets them."""
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")
    found = []
    for node in tree["nodes"]:
        focuses = [p for p in node.get("properties", ()) if p["name"] == "focusable"]
        role = node.get("role", {}).get("value", "")
        if focuses and focuses[0]["value"]["value"] and role != "RootWebArea":
            found.append((role, node.get("name", {}).get("value", "")))
    return found


def test_keyboard_alone_votes_and_creates(visitor: Visitor, poll: Poll) -> None:
    page = live(visitor.log_in(poll.owner).open(poll.url))

    tab_to(page, "Vote for Coffee")
    page.keyboard.press("Enter")
    expect_message(page, "Your vote for “Coffee” is counted.")
    expect(vote_button(page, "Coffee")).to_be_focused()
    outline = "button => getComputedStyle(button).outlineStyle"
    assert vote_button(page, "Coffee").evaluate(outline) == "solid"

    tab_to(page, "Vote for Water")
    page.keyboard.press("Space")
    expect_message(page, "Your vote for “Water” is counted.")
    expect_numbers(page, Tea=0, Coffee=1, Water=1)

    tab_to(page, "Question")
    page.keyboard.type("With the keyboard?")
    page.keyboard.press("Tab")
    page.keyboard.type("Yes\nNo")
    tab_to(page, "Create poll")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("With the keyboard?")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and focused.aria_snapshot().find(f'"{name}"') >= 0:
            return
    pytest.fail(f"Tab never reaches {name!r}")


@pytest.mark.parametrize("width", [320, 360, 1200])
def test_page_fits_the_width(welcome: Welcome, crossbar_node: CrossbarNode, width: int) -> None:
    """Texts without a place to break included; nothing scrolls sideways, and buttons are large."""
    long = Poll(crossbar_node, "W" * 200, ["M" * 100, "ordinary words " * 6, "c"])
    long.vote("c")
    visitor = welcome(viewport={"width": width, "height": 740})
    visitor.expected = REFUSED
    page = live(visitor.open(long.url))
    expect(page.locator("#summary")).to_have_text("c leads with 100 % of 1 vote.")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    page.goto(f"{crossbar_node.url}?poll={10**18}")
    assert page.evaluate("document.documentElement.scrollWidth") == width


# --- the watch over all of the pages above

POLICY = "Content Security Policy"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('oh')", "oh"),
        ("throw new Error('oh')", "oh"),
        ("eval('1')", POLICY),
        ("document.body.setAttribute('onclick', '1'); document.body.click()", POLICY),
        ("new Image().src = 'http://127.0.0.1:9/'", POLICY),
        ("location = 'http://127.0.0.1:9/'", "request to http://127.0.0.1:9/"),
    ],
)
def test_watch_sees(visitor: Visitor, poll: Poll, script: str, complaint: str) -> None:
    page = visitor.open(poll.url)

    with visitor.complains(complaint):
        page.evaluate(f"() => {{ setTimeout(() => {{ {script}; }}); }}")

    visitor.expected = ""
