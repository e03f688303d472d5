"""Every block of code of the how-tos, run in one node, as parts of the one shop that they build."""

import doctest
import importlib
import queue
import re
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from autobahn.wamp.exception import ApplicationError
from flask import Flask, g
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from flask_wamp import WAMP, event
from flask_wamp.node import CrossbarNode
from tests.node.support import (
    CALL,
    LIMIT,
    Peer,
    RawPeer,
    connected,
    error_of,
    http,
    wait_until,
)

from .conftest import BLOCKS, PAGES, ROOT, SESSIONS, TEXTS, Browsing

pytestmark = [pytest.mark.node, pytest.mark.slow]


def test_every_block_is_run_by_a_test_here() -> None:
    """A block that is added to a how-to has to be run here as well."""
    assert {(block.language, block.name) for block in BLOCKS} == {
        ("console", "arguments"),
        ("console", "call"),
        ("console", "denied"),
        ("console", "publish"),
        ("console", "routes"),
        ("console", "sessions"),
        ("console", "setup"),
        ("console", "several"),
        ("console", "shell"),
        ("console", "stream"),
        ("console", "subscribe"),
        ("json", "limits"),
        ("json", "store"),
        ("js", "busy.js"),
        ("js", "cancel.js"),
        ("js", "connect.js"),
        ("js", "display.js"),
        ("js", "garbage.js"),
        ("js", "misfit.js"),
        ("js", "order.js"),
        ("js", "receipt.js"),
        ("js", "report.js"),
        ("pycon", "declarations"),
        ("pycon", "failure"),
        ("pycon", "meta"),
        ("pycon", "options"),
        ("pycon", "policies"),
        ("pycon", "receipt"),
        ("pycon", "too_big"),
        ("pycon", "unfit"),
        ("python", "display.py"),
        ("python", "printer.py"),
        ("python", "shop/announce.py"),
        ("python", "shop/app.py"),
        ("python", "shop/catalogue.py"),
        ("python", "shop/checkout.py"),
        ("python", "shop/customers.py"),
        ("python", "shop/delivery.py"),
        ("python", "shop/events.py"),
        ("python", "shop/exports.py"),
        ("python", "shop/invoices.py"),
        ("python", "shop/labels.py"),
        ("python", "shop/ledger.py"),
        ("python", "shop/mail.py"),
        ("python", "shop/mistakes.py"),
        ("python", "shop/opening.py"),
        ("python", "shop/orders.py"),
        ("python", "shop/overview.py"),
        ("python", "shop/quotes.py"),
        ("python", "shop/reservations.py"),
        ("python", "shop/receipts.py"),
        ("python", "shop/report.py"),
        ("python", "shop/sales.py"),
        ("python", "shop/search.py"),
        ("python", "shop/slow.py"),
        ("python", "shop/stock.py"),
        ("python", "shop/vouchers.py"),
        ("python", "shop/watch.py"),
        ("sh", "completion"),
        ("sh", "restock.sh"),
    }
    names = [block.name for block in BLOCKS]
    assert {name for name in names if names.count(name) > 1} == {"shop/app.py"}


def test_links_of_the_pages_lead_somewhere() -> None:
    """Files and headings that a how-to points to are there."""
    for page in (*PAGES, "jobs", "transports", "going-public"):
        path = ROOT / "docs/howto" / f"{page}.md"
        for target in re.findall(r"\]\(([^)]+)\)", " ".join(path.read_text().split())):
            file, _, anchor = target.partition("#")
            if file.startswith("https:"):
                continue
            linked = (path.parent / file).resolve() if file else path
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


# --- the sessions with >>>


@pytest.mark.parametrize("name", SESSIONS)
def test_session_says_what_the_page_says(shell: Flask, node: CrossbarNode, name: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    names = {"app": shell, "g": g}
    session = doctest.DocTestParser().get_doctest(TEXTS[name], names, name, name, 0)
    complaints: list[str] = []
    with shell.app_context():
        meta = g.wampy.meta
        strangers = ["anonymous"]
        wait_until(lambda: meta.count_sessions(authroles=strangers) == 0, "no stranger is there")
        # One whose end the session about the meta API shows.
        with connected(node.ws_url) if name == "meta" else nullcontext():
            # Not as told by a -v on pytest's own command line.
            runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
            runner.run(session, out=complaints.append)
    assert "".join(complaints) == ""


# --- serving


def test_patterns(peer: Peer, logged: Callable[[str], None]) -> None:
    assert peer.call("com.shop.berlin.stock", "tea") == 7
    assert peer.call("com.shop.oslo.stock", "tea") == 0
    assert peer.call("com.shop.help.returns.abroad") == "help on returns / abroad"
    peer.publish("com.shop.oslo.sold", "tea", 3)
    logged("oslo sold 3 of tea")


def test_shared_procedure(node: CrossbarNode, project: Path, peer: Peer) -> None:
    def printers() -> set[int]:
        return {peer.call("com.shop.label", number)["printed_by"] for number in range(4)}

    def one_is_left() -> bool:
        try:
            return len(printers()) == 1
        except ApplicationError:
            return False  # the call was on its way to the other one

    assert len(printers()) == 1
    with subprocess.Popen(
        [sys.executable, "printer.py"], cwd=project, stdout=subprocess.PIPE, text=True
    ) as printer:
        try:
            assert printer.stdout is not None
            assert printer.stdout.readline() == "serving\n"
            assert len(printers()) == 2
            assert printer.pid in printers()
        finally:
            printer.kill()
    wait_until(one_is_left, "the second printer has gone")


def test_few_at_a_time(peer: Peer) -> None:
    outcomes = peer.call_all("com.shop.invoice", [[number] for number in range(8)])
    refused = [outcome.value for well, outcome in outcomes if not well]
    # Three, unless the first has ended before the last comes.
    assert 1 <= len(refused) <= 3
    assert {error.error for error in refused} == {"wamp.error.unavailable"}
    assert "busy" in refused[0].args[0]


def test_busy_page(browsing: Browsing) -> None:
    assert browsing.run("connect.js", "busy.js") == ["3 wamp.error.unavailable 503"]


def test_report_on_a_page(browsing: Browsing, logged: Callable[[str], None]) -> None:
    assert browsing.run("connect.js", "report.js") == ["rows: 0 10 20"]
    logged("the report on 3 rows is closed")


def test_report_is_closed_when_it_is_canceled(peer: Peer, logged: Callable[[str], None]) -> None:
    report = peer.begin("com.shop.report", 999_999)
    assert report.part() == {"number": 0, "total": 0}
    report.cancel()
    logged("the report on 999999 rows is closed")
    assert peer.call("com.shop.report", 2) == [
        {"number": 0, "total": 0},
        {"number": 1, "total": 10},
    ]


def test_coroutine(peer: Peer) -> None:
    assert peer.call("com.shop.delivery") == {"post": 3, "courier": 1}


def test_canceled_search(browsing: Browsing, logged: Callable[[str], None]) -> None:
    assert browsing.run("connect.js", "cancel.js") == ["ended with wamp.error.canceled"]
    logged("nobody wants tea any more")


def test_kept_event(
    node: CrossbarNode,
    shell: Flask,
    service: WAMP,
    logged: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert http(node.url + "opening-hours", {"opens": 8, "closes": 20}).json["publication"] > 0
    logged("open 8 to 20\n")
    # One that subscribes later, as a second process of the same application does.
    handler = importlib.import_module("shop.opening").on_opening_hours
    service.subscribe("com.shop.opening_hours", get_retained=True)(handler)
    service.start()
    wait_until(lambda: "open 8 to 20 (kept)" in caplog.text, "the kept event is handled")


def test_order_of_events(peer: Peer, node: CrossbarNode) -> None:
    start = len(node.log)
    peer.publish_all("com.shop.ordered", list(range(100, 140)))

    def numbers(who: str) -> list[int]:
        return [int(n) for n in re.findall(rf"{who}: order (1[0-3]\d)\b", node.log[start:])]

    begun = time.monotonic()
    wait_until(lambda: len(numbers("mail")) == 40, "all mails are sent")
    # One after another they would take 8 s, and take 2 s.
    assert time.monotonic() - begun < 7
    wait_until(lambda: numbers("journal") == list(range(100, 140)), "the journal is in order")
    assert sorted(numbers("mail")) == list(range(100, 140))


def test_typed_order_on_a_page(browsing: Browsing) -> None:
    assert browsing.run("connect.js", "order.js") == [
        "ordered: 2 Tuesday",
        "wamp.error.invalid_argument items.0.count greater_than",
        "wamp.error.invalid_argument due date_from_datetime_parsing",
    ]


def test_typed_order_over_http(node: CrossbarNode) -> None:
    body = {"items": [{"article": "tea", "count": "2"}], "due": "2030-01-01", "speed": "fast"}
    answer = http(node.url + "orders/ann", body)
    assert (answer.status, answer.json) == (
        200,
        {"customer": "ann", "count": 2, "weekday": "Tuesday", "speed": "fast"},
    )
    answer = http(node.url + "orders/a", {**body, "speed": "soon"})
    assert (answer.status, answer.json["status"]) == (400, 400)
    assert [(error["loc"], error["type"]) for error in answer.json["errors"]] == [
        (["customer"], "string_too_short"),
        (["speed"], "literal_error"),
    ]
    assert all(set(error) == {"loc", "type", "msg"} for error in answer.json["errors"])


def test_namespace(peer: Peer) -> None:
    assert peer.call("com.shop.customers.name", 1) == "Ann"
    assert peer.call("com.shop.customers.addresses.format", "Mill Lane", "York") == (
        "Mill Lane, York"
    )
    error = error_of(lambda: peer.call("com.shop.customers.name", 2))
    assert (error.error, error.args) == ("com.shop.customers.unknown", (2,))


def test_watchers(peer: Peer, node: CrossbarNode, logged: Callable[[str], None]) -> None:
    # The router's worker and the container.
    wait_until(lambda: node.log.count("joined realm1 as backend") >= 2, "both have joined")
    wait_until(lambda: node.log.count("shop.app has a session") >= 2, "both have a session")
    peer.call("com.shop.oslo.stock", "tea")
    logged("com.shop.oslo.stock ended with well after")
    error_of(lambda: peer.call("com.shop.oslo.stock", "coffee"))
    logged("com.shop.oslo.stock ended with wamp.error.runtime_error after")


def test_vouchers(peer: Peer) -> None:
    assert peer.call("com.shop.open_voucher", "x7", 20) == "com.shop.voucher.x7"
    assert peer.call("com.shop.voucher.x7") == 20
    error = error_of(lambda: peer.call("com.shop.voucher.x7"))
    assert error.error == "wamp.error.no_such_procedure"


# --- calling and publishing


def test_quote_with_a_timeout(node: CrossbarNode) -> None:
    # Whose answer has half a second.
    wait_until(
        lambda: http(node.url + "quotes/tea").json == {"article": "tea", "price": 4}, "a quote"
    )
    begun = time.monotonic()
    answer = http(node.url + "quotes/gold")
    assert (answer.status, answer.json["price"]) == (503, None)
    # The supplier takes 5 s.
    assert time.monotonic() - begun < 4


def test_call_that_may_be_made_twice(node: CrossbarNode) -> None:
    """What it does where there is no answer is tested in memory, ``test_reservations.py``."""
    for _ in range(2):
        assert http(node.url + "reservations/7/tea", {}).json == {"reserved": "tea"}
    assert http(node.url + "reservations/7/milk", {}).json == {"reserved": "tea"}


def test_events_that_are_too_many(node: CrossbarNode, peer: Peer) -> None:
    start = len(node.log)
    peer.publish_all("com.shop.stocktaking", list(range(300)))
    peer.publish_all("com.shop.temperature", list(range(20)))

    def counted() -> list[int]:
        return [int(n) for n in re.findall(r"counted: (\d+)", node.log[start:])]

    node.wait_for_log("counted: 299", timeout=3 * LIMIT)
    assert counted() == list(range(300))
    node.wait_for_log("it is 19 degrees", timeout=LIMIT)


def test_stream(node: CrossbarNode, logged: Callable[[str], None]) -> None:
    lines = http(node.url + "report.csv").body.decode().splitlines()
    assert lines == [f"{number},{number * 10}" for number in range(1000)]
    assert [row["total"] for row in http(node.url + "report/first/3").json] == [0, 10, 20]
    logged("the report on 1000000 rows is closed")


def test_several_calls_at_once(node: CrossbarNode) -> None:
    assert http(node.url + "overview/tea").json == {"berlin": 7, "oslo": 0, "price": 4}


def test_receivers(node: CrossbarNode, peer: Peer, service: WAMP) -> None:
    told: queue.Queue[tuple[int, str]] = queue.Queue()

    @service.subscribe("com.shop.staff")
    def on_staff(text: str) -> None:
        told.put((event.publication, text))

    service.start()
    strange = peer.subscribe("com.shop.staff")
    publication = http(node.url + "staff/hello", {}).json["publication"]
    assert told.get(timeout=LIMIT) == (publication, "hello")
    peer.publish("com.shop.staff", "to all")
    assert told.get(timeout=LIMIT)[1] == "to all"
    assert strange.waiting() == []


def test_checkout(node: CrossbarNode, peer: Peer) -> None:
    ordered = peer.subscribe("com.shop.ordered")
    assert http(node.url + "checkout/1", {}).status == 200
    assert http(node.url + "checkout/1001", {}).status == 409
    assert peer.call("com.shop.checkout", 2) == {"number": 2}
    assert error_of(lambda: peer.call("com.shop.checkout", 1002)).error == "wamp.error.conflict"
    assert http(node.url + "checkout/3", {}).status == 200
    assert [ordered.get().args[0] for _ in range(3)] == [1, 2, 3]
    assert ordered.waiting() == []


def test_commit(peer: Peer, logged: Callable[[str], None]) -> None:
    sales = peer.subscribe("com.shop.sales")
    first = peer.call("com.shop.sell", "tea")
    peer.call("com.shop.sell", "coffee", really=False)
    second = peer.call("com.shop.sell", "cocoa")
    assert [sales.get().kwargs for _ in range(2)] == [
        {"id": first, "article": "tea"},
        {"id": second, "article": "cocoa"},
    ]
    assert sales.waiting() == []
    logged(f"sale {second}: cocoa")


def test_savepoints(shell: Flask, peer: Peer) -> None:
    events = importlib.import_module("shop.events")
    sales = peer.subscribe("com.shop.sales")
    engine = create_engine("sqlite://")
    with shell.app_context(), Session(engine) as session:
        events.publish_after_commit(session, "com.shop.sales", id=0, article="a")
        with session.begin_nested() as savepoint:
            events.publish_after_commit(session, "com.shop.sales", id=0, article="b")
            savepoint.rollback()
        with session.begin_nested():
            events.publish_after_commit(session, "com.shop.sales", id=0, article="c")
        assert sales.waiting() == []
        session.commit()
    engine.dispose()
    assert [sales.get().kwargs["article"] for _ in range(2)] == ["a", "c"]


def test_nothing_is_missed_or_repeated(
    project: Path, peer: Peer, browsing: Browsing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sales go on while a process and a page join."""
    monkeypatch.chdir(project)
    ended = threading.Event()
    sold: list[str] = []
    last = "soup, the last"

    def sell() -> None:
        while not ended.wait(0.005):
            article = f"soup {len(sold):06}"
            peer.call("com.shop.sell", article)
            sold.append(article)
        peer.call("com.shop.sell", last)

    with ThreadPoolExecutor(1) as threads:
        selling = threads.submit(sell)
        wait_until(lambda: len(sold) >= 10, "some are sold before")
        display = runpy.run_path("display.py")
        try:
            shown = display["shown"]
            browsing.run("display.js", more="window.shown = shown;")
            count = len(sold)
            wait_until(lambda: len(sold) >= count + 10, "some are sold afterwards")
            ended.set()
            selling.result(LIMIT)
            wait_until(lambda: last in shown.values(), "the display shows the last")
            browsing.page.wait_for_function(
                "last => [...window.shown.values()].includes(last)", arg=last
            )
            on_page = browsing.page.evaluate("[...window.shown.values()]")
            for articles in (list(shown.values()), on_page):
                ours = [article for article in articles if article.startswith("soup")]
                assert sorted(ours) == sorted([*sold, last])
        finally:
            ended.set()
            display["wamp"].stop()


def test_receipt_on_a_page(browsing: Browsing) -> None:
    assert browsing.run("connect.js", "receipt.js") == ["receipt-7.pdf 6"]


# --- what bad use gets


def test_misfit_on_a_page(browsing: Browsing) -> None:
    assert browsing.run("connect.js", "misfit.js") == [
        "wamp.error.invalid_argument - missing a required argument: 'order'",
        "wamp.error.invalid_argument - too many positional arguments: takes 1 (order), got 2",
        (
            "wamp.error.invalid_argument - 1 argument does not fit: customer: String should have "
            "at least 2 characters"
        ),
    ]


def test_garbage_of_a_page(browsing: Browsing) -> None:
    assert browsing.run("connect.js", "garbage.js") == [
        "wamp.error.invalid_argument - the message has values nested over 100 deep",
        "wamp.error.invalid_argument - the message has a str with lone surrogates",
        "still here",
    ]


def test_too_big_for_the_node(node: CrossbarNode, peer: Peer) -> None:
    raw = RawPeer(node.ws_url)
    raw.join()
    raw.send([CALL, 1, {}, "com.shop.label", ["x" * 2**20]])
    code, _reason = raw.closed.result(LIMIT)
    assert code != 1000
    assert peer.call("com.shop.label", "x" * 2**19)["order"] == "x" * 2**19


# --- what the pages say without a block


def test_procedure_is_taken_over(service: WAMP, node: CrossbarNode, shell: Flask) -> None:
    taker = Flask("taker")
    taker.config["WAMP_URL"] = node.backend_url
    taking = WAMP(taker)
    for who, wamp in (("the first", service), ("the second", taking)):
        wamp.callee("com.shop.till", force_reregister=True)(lambda who=who: who)
    try:
        service.start()
        with shell.app_context():
            assert g.wampy.call("com.shop.till") == "the first"
        taking.start()
        with shell.app_context():
            assert g.wampy.call("com.shop.till") == "the second"
    finally:
        taking.stop()


def test_subscription_is_revoked(
    service: WAMP, shell: Flask, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    told: queue.Queue[str] = queue.Queue()
    joined: queue.Queue[int] = queue.Queue()
    service.subscribe("com.shop.revoked")(told.put)
    service.subscribe("com.shop.kept")(told.put)
    service.on_join(lambda session: joined.put(session.session))
    service.start()
    session = joined.get(timeout=LIMIT)
    with shell.app_context():
        found = g.wampy.meta.subscription("com.shop.revoked")
        assert found is not None
        assert found["subscribers"] == [session]
        g.wampy.call("wamp.subscription.remove_subscriber", found["id"], session)
    peer.publish("com.shop.revoked", "nobody hears")
    peer.publish("com.shop.kept", "heard")
    assert told.get(timeout=LIMIT) == "heard"


def test_testament_is_published_when_the_session_has_ended(service: WAMP, peer: Peer) -> None:
    staff = peer.subscribe("com.shop.staff")
    (app,) = service._apps
    with app.app_context():
        g.wampy.meta.add_testament("com.shop.staff", "the terminal is gone")
    assert staff.waiting() == []
    service.stop()
    assert staff.get().args == ("the terminal is gone",)
