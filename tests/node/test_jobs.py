"""The blocks of docs/howto/jobs.md, as they stand: in processes, in Celery, RQ and APScheduler."""

import re
import shlex
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port

from .programs import Program, peers_python
from .support import ROOT, Events, Peer, missing_service

pytestmark = [pytest.mark.node, pytest.mark.slow]

PAGE = (ROOT / "docs/howto/jobs.md").read_text()
BLOCKS: dict[str, str] = dict(
    re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
#: What the others import or read.
IMPORTED = {"celeryconfig.py", "jobs.py", "shop.py", "tasks.py"}
STOCK = {"tea": 7, "milk": 2, "salt": 0, "rice": 9}
Run = Callable[..., Any]


def test_every_block_is_run_by_a_test_here() -> None:
    _, _, source = Path(__file__).read_text().partition("\nSTOCK = ")
    named = {name for name in BLOCKS if f'"{name}"' in source}
    assert BLOCKS.keys() - named == IMPORTED


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with the files of the page."""
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def stock(trusted: Peer) -> None:
    """Serve the procedure that the page calls."""
    trusted.register("com.shop.stock", STOCK.__getitem__)


@pytest.fixture
def counted(trusted: Peer, stock: None) -> Events:
    """Give the events that the page publishes."""
    return trusted.subscribe("com.shop.counted")


@pytest.fixture
def run(project: Path, peers_node: CrossbarNode) -> Run:
    """Give a function that runs a program of the page, in the environment of the jobs."""

    @contextmanager
    def run(*arguments: str, **env: str) -> Iterator[Program]:
        python = Path(peers_python("JOBS_PYTHON"))
        program = python.parent / arguments[0] if arguments[0] != "python" else python
        environment = {
            "PYTHONPATH": str(project),
            "FLASK_WAMP_URL": peers_node.backend_url,
            "WAMP_URL": peers_node.backend_url,
            **env,
        }
        with Program(str(program), *arguments[1:], env=environment, cwd=project) as running:
            yield running

    return run


def assert_counted(counted: Events, articles: Mapping[str, int]) -> None:
    """So many events of each article have come, with its stock."""
    came: Counter[str] = Counter()
    for _ in range(sum(articles.values())):
        event = counted.get()
        (article,) = event.args
        assert event.kwargs["stock"] == STOCK[article]
        came[article] += 1
    assert came == articles
    assert counted.waiting() == []


def test_script_without_an_application(run: Run, peers_node: CrossbarNode, counted: Events) -> None:
    with run("python", "stock.py", peers_node.backend_url) as program:
        assert program.wait() == 0
        assert program.output == "tea: 7\n"
    assert_counted(counted, {"tea": 1})


def test_script_with_the_application(run: Run, counted: Events) -> None:
    with run("python", "report.py") as program:
        assert program.wait() == 0
        assert program.output == ""
    assert_counted(counted, {"tea": 1})


def test_cells_of_a_notebook(run: Run, stock: None) -> None:
    """One after another, in a process whose loop runs."""
    cells = """
import asyncio, sys
async def cells():
    names = {}
    for name in sys.argv[1:]:
        exec(compile(open(name).read(), name, "exec"), names)
        await asyncio.sleep(0)
    print(type(names["wampy"]).__name__)
asyncio.run(cells())
"""
    with run("python", "-c", cells, "notebook.py", "last_cell.py") as program:
        assert program.wait() == 0
        assert program.output == "Client\n"


def test_processes_of_a_pool(run: Run, counted: Events) -> None:
    with run("python", "pool.py") as program:
        assert program.wait() == 0
        assert program.output == "[7, 2, 0, 9]\n"
    assert_counted(counted, dict.fromkeys(STOCK, 1))


def test_celery(run: Run, project: Path, counted: Events) -> None:
    """The pool's two processes take 40 tasks, and end when they are told to."""
    (project / "queue").mkdir()
    code = "import tasks\nfor _ in range(10):\n    for article in {!r}: tasks.count.delay(article)"
    with run("python", "-c", code.format(list(STOCK))) as sending:
        assert sending.wait() == 0, sending.output
    with run(*shlex.split(BLOCKS["worker"])) as worker:
        events = [counted.get() for _ in range(10 * len(STOCK))]
        assert Counter(event.args[0] for event in events) == dict.fromkeys(STOCK, 10)
        assert {event.kwargs["stock"] == STOCK[event.args[0]] for event in events} == {True}
        # One connection for each process of the pool.
        processes = {event.kwargs["process"] for event in events}
        assert len({event.details.publisher for event in events}) == len(processes) <= 2
        assert worker.end(signal.SIGTERM) == 0
        assert "Traceback" not in worker.output


#: A task behind which its process ends, as `--max-tasks-per-child 1` has it.
LAST_TASK = """
from flask import g
from tasks import celery

@celery.task
def publish_many():
    for number in range(100):
        g.wampy.publish("com.shop.last", number, "x" * 1000, acknowledge=False)
"""


def test_celery_process_that_ends_lets_out_what_it_published(
    run: Run, project: Path, trusted: Peer
) -> None:
    events = trusted.subscribe("com.shop.last")
    (project / "queue").mkdir()
    (project / "last.py").write_text(LAST_TASK)
    with run("python", "-c", "import last; last.publish_many.delay()") as sending:
        assert sending.wait() == 0, sending.output
    order = shlex.split(BLOCKS["worker"])
    with run(*order, "--include", "last", "--max-tasks-per-child", "1") as worker:
        assert [events.get().args[0] for _ in range(100)] == list(range(100))
        assert worker.end(signal.SIGTERM) == 0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """Run Redis, and give its URL."""
    server = shutil.which("redis-server")
    if server is None:
        missing_service("no redis-server here (Debian: apt-get install redis-server)")
    port = str(free_port())
    options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with Program(server, *options, cwd=tmp_path) as running:
        running.wait_for("Ready to accept connections")
        yield f"redis://127.0.0.1:{port}"


@pytest.mark.parametrize("worker", ["rq.Worker", "rq.SimpleWorker"])
def test_rq(run: Run, redis: str, counted: Events, worker: str) -> None:
    """With a process for each job, and with one for all of them."""
    with run("python", "enqueue.py", RQ_REDIS_URL=redis) as sending:
        assert sending.wait() == 0, sending.output
    order = [*shlex.split(BLOCKS["rq"]), "--worker-class", worker]
    with run(*order, RQ_REDIS_URL=redis) as running:
        assert running.wait() == 0
        assert running.output.count("Job OK") == 3
    assert_counted(counted, {"tea": 1, "milk": 1, "salt": 1})


def test_apscheduler(run: Run, counted: Events) -> None:
    with run("python", "schedule.py") as program:
        for _ in range(2):
            assert counted.get().kwargs["stock"] == 7
        assert program.end(signal.SIGINT) in (0, 1, -signal.SIGINT)
        assert set(re.findall(r"^(\w+Error|\w+Exception)", program.output, re.MULTILINE)) == set()
