"""Metrics over the processes of a node, which are killed and replaced meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError
from prometheus_client.parser import text_string_to_metric_families

from flask_wamp.node import CrossbarNode, free_port

from .conftest import trusted_url
from .programs import Program, python
from .support import (
    ABORT,
    APPS,
    HELLO,
    Peer,
    RawPeer,
    connected,
    http,
    node_config,
    wait_until,
)

pytestmark = [pytest.mark.node, pytest.mark.slow]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run the application, with one container."""
    module = f"{APPS}.observed"
    config = node_config(web=f"{module}.Web", views=[f"{module}.Views"], wsgi=module, governed=True)
    with CrossbarNode(config) as node:
        yield node


@pytest.fixture
def peer(node: CrossbarNode) -> Iterator[Peer]:
    """Give a service."""
    with connected(trusted_url(node)) as peer:
        yield peer


def fetched(url: str) -> int:
    """Return the status of an answer that is none of an error."""
    with urlopen(url, timeout=30) as answer:
        answer.read()
        return int(answer.status)


def scraped(node: CrossbarNode | str) -> Samples:
    """Return what Prometheus reads of a node, or of an address."""
    url = node if isinstance(node, str) else node.url
    with urlopen(f"{url}metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    """Return a sample."""
    return samples.get((f"flask_wamp_{name}", frozenset(labels.items())), 0.0)


def serving(node: CrossbarNode) -> Program:
    """Start one more process that serves beside the others, and wait until it does."""
    program = python(
        *("-m", "flask", "--app", f"{APPS}.observed:app", "wamp", "serve"),
        *("--url", node.backend_url),
        env={"FLASK_WAMP_SERVE": "true", "WAMP_METRICS_DIR": str(node.directory / "metrics")},
    )
    program.wait_for("flask-wamp: tests.node.apps.observed serves")
    return program


def test_counts_survive_the_processes_that_have_counted(node: CrossbarNode, peer: Peer) -> None:
    begin = scraped(node)
    answered = 0
    seen = [0.0]

    def called() -> float:
        total = of(scraped(node), "calls_total", procedure="com.observed.add", outcome="ok")
        return total - of(begin, "calls_total", procedure="com.observed.add", outcome="ok")

    files = 0
    programs = [serving(node), serving(node)]
    try:
        for number in signal.SIGKILL, signal.SIGTERM:
            for _ in range(30):
                peer.call("com.observed.add", 1, 2)
                answered += 1
            seen.append(called())
            assert seen[-1] == answered
            files = files or len(list((node.directory / "metrics").glob("counter_*")))
            ended = programs.pop(0)
            ended.end(number)
            ended.kill()
            seen.append(called())
            programs.append(serving(node))
            seen.append(called())
    finally:
        for program in programs:
            program.kill()
    assert seen == sorted(seen)
    assert answered == 60
    # The router's process, the container's, and two at a time.
    assert files == len(list((node.directory / "metrics").glob("counter_*"))) == 4
    wait_until(
        lambda: of(scraped(node), "sessions", application="tests.node.apps.observed") == 2,
        "the gauges of the dead have gone",
    )


def test_counts_survive_supervised_processes_that_are_killed_and_recycled() -> None:
    """And what their supervisor counts is there as well."""
    module = f"{APPS}.observed"
    config = node_config(web=f"{module}.Web", views=[f"{module}.Views"], wsgi=module, governed=True)
    component = config["workers"][1]["components"][0]
    component["extra"] = {"processes": 2, "max_calls": 60, "application": f"{module}:app"}
    component["classname"] = "flask_wamp.crossbar.ViewsSession"
    with CrossbarNode(config) as node, connected(trusted_url(node)) as peer:
        uri = "flask_wamp.supervisor.views.status"
        wait_until(
            lambda: of(scraped(node), "supervised_processes_ready", supervisor="views") == 2,
            "both processes serve",
        )
        seen = [0.0]

        def look() -> Samples:
            samples = scraped(node)
            seen.append(
                of(samples, "calls_total", procedure="com.observed.any", outcome="ok"),
            )
            return samples

        answered = 0
        for _ in range(20):
            peer.call("com.observed.any")
            answered += 1
        look()
        assert seen[-1] == answered
        os.kill(peer.call(uri)["slots"][0]["pid"], signal.SIGKILL)
        wait_until(
            lambda: of(look(), "process_restarts_total", supervisor="views") == 1, "it is counted"
        )
        wait_until(lambda: peer.call(uri)["ready"] == 2, "both are back")
        while of(look(), "process_replacements_total", supervisor="views") < 2:
            for _ in range(20):
                peer.call("com.observed.any")
                answered += 1
            assert answered < 5000
        look()
        assert seen[-1] == answered
        assert seen == sorted(seen)
        # The router's process, two that serve, and at most one for each that was ready before the
        # other had ended.
        assert len(list((node.directory / "metrics").glob("counter_*"))) <= 5


def test_workers_of_gunicorn_count_together(node: CrossbarNode, tmp_path: Path) -> None:
    """With the library's own variable, and no hook for workers that end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    env = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
        "FLASK_WAMP_URL": node.backend_url,
    }
    gunicorn = python(
        *("-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--preload"),
        f"{APPS}.observed:app",
        env=env,
    )

    def workers() -> list[int]:
        return [child.pid for child in psutil.Process(gunicorn.process.pid).children()]

    def called() -> float:
        return of(scraped(url), "requests_total", kind="call", outcome="ok")

    with gunicorn:
        gunicorn.wait_for("Booting worker")
        wait_until(lambda: len(workers()) == 2, "two workers")
        for _ in range(20):
            assert fetched(f"{url}call") == 200
        assert called() == 20
        victims = workers()
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not any(map(psutil.pid_exists, victims)), "they are gone")
        wait_until(lambda: len(workers()) == 2, "two workers")
        for _ in range(20):
            assert fetched(f"{url}call") == 200
        assert called() == 40
        # A worker to which none of those came connects when it is asked, which may take longer than
        # the second that a look has.
        wait_until(lambda: http(f"{url}readyz").status == 200, "the workers are ready")
        # One for the master, which has loaded the application, and one for each worker.
        assert len(list((tmp_path / "counts").glob("counter_*"))) <= 3


def test_outcomes_patterns_events_and_requests(node: CrossbarNode, peer: Peer) -> None:
    begin = scraped(node)
    for suffix in ("", ".one", ".two"):
        peer.call(f"com.observed.any{suffix}")
    with pytest.raises(ApplicationError):
        peer.call("com.observed.fail")
    for value in ("good", "bad", "good"):
        peer.publish("com.observed.topic", value)
    with urlopen(f"{node.url}call", timeout=30) as answer:
        assert answer.status == 200

    def grown(name: str, **labels: str) -> float:
        return of(scraped(node), name, **labels) - of(begin, name, **labels)

    wait_until(
        lambda: grown("events_total", topic="com.observed.topic", outcome="ok") == 2,
        "events are counted",
    )
    assert grown("events_total", topic="com.observed.topic", outcome="error") == 1
    assert grown("calls_total", procedure="com.observed.any", outcome="ok") == 3
    assert grown("call_duration_seconds_count", procedure="com.observed.any") == 3
    failed = {"procedure": "com.observed.fail", "outcome": "wamp.error.not_found"}
    assert grown("calls_total", **failed) == 1
    assert grown("requests_total", kind="call", outcome="ok") == 1


def test_what_runs_is_seen(node: CrossbarNode, peer: Peer) -> None:
    name = "tests.node.apps.observed"
    held = [peer.start_call("com.observed.hold") for _ in range(3)]
    wait_until(
        lambda: of(scraped(node), "calls_in_flight", application=name) == 3, "three calls run"
    )
    peer.call("com.observed.let_go")
    for call in held:
        call.result(30)
    wait_until(lambda: of(scraped(node), "calls_in_flight", application=name) == 0, "none runs")


def test_denials_and_refusals_are_counted(node: CrossbarNode) -> None:
    begin = scraped(node)
    with connected(node.ws_url) as stranger:
        for number in range(3):
            with pytest.raises(ApplicationError):
                stranger.call(f"com.nobody.{number}")

    def grown() -> float:
        labels = {"role": "anonymous", "action": "call"}
        return of(scraped(node), "denials_total", **labels) - of(begin, "denials_total", **labels)

    assert grown() == 3
    peer = RawPeer(node.ws_url)
    try:
        details = {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "alice"}
        assert peer.request([HELLO, "realm1", details])[0] == 4
        assert peer.request([5, "no ticket", {}])[0] == ABORT
    finally:
        peer.close()
    kind = "a login was refused"
    wait_until(lambda: of(scraped(node), "peer_complaints_total", kind=kind) == 1, "it is counted")


def test_node_is_ready(node: CrossbarNode) -> None:
    # A look that a busy machine gives no answer within its second says that.
    wait_until(lambda: http(f"{node.url}readyz").status == 200, "the node is ready")
    wait_until(lambda: of(scraped(node), "ready") == 1, "and says so to Prometheus")
    with urlopen(f"{node.url}healthz", timeout=30) as answer:
        assert answer.status == 200


def test_stranger_reads_no_metrics(node: CrossbarNode) -> None:
    """Who comes through a proxy comes from this machine as well."""
    request = Request(f"{node.url}metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=30)
    refused.value.close()
    assert refused.value.code == 403


def test_files_are_for_this_user_alone(node: CrossbarNode) -> None:
    directory = node.directory / "metrics"
    assert directory.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.iterdir())
