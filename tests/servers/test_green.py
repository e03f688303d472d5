"""Green threads: a blocking call of one lets the others run, and the traps are no traps."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_wamp.node import CrossbarNode
from tests.node.programs import Program
from tests.node.support import wait_until

from .conftest import Callee
from .programs import ALL, EVENTLET, SERVERS, Running, Server, environment, gunicorn, start

pytestmark = [pytest.mark.servers, pytest.mark.node]

GREEN = (
    "gunicorn, gevent",
    "gunicorn 25.3, eventlet",
    "uWSGI, gevent",
    "gevent.pywsgi",
    "eventlet.wsgi",
)
WAITING = 100


@pytest.mark.parametrize("name", GREEN)
def test_green_calls_that_wait_let_the_others_run(
    servers: dict[str, Running], callee: Callee, name: str
) -> None:
    """A hundred requests wait for the same callee, which sees all of them at once."""
    running = servers[name]
    running.wait()
    with ThreadPoolExecutor(WAITING) as threads:
        waiting = [threads.submit(running.get, f"/held/{number}") for number in range(WAITING)]
        wait_until(lambda: len(callee.held) == WAITING, "all of the calls have come")
        assert not any(answer.done() for answer in waiting)
        for number in range(20):
            assert running.get(f"/call/{number}").json == {"answer": 2 * number}
        callee.release()
        answers = [answer.result().json for answer in waiting]
    assert answers == [{"answer": 2 * number} for number in range(WAITING)]


@pytest.mark.parametrize(
    "server",
    [
        Server("gunicorn", gunicorn("-w1", "-kgevent", "--preload")),
        Server("gunicorn", gunicorn("-w1", "-keventlet", "--preload"), environment=EVENTLET),
    ],
    ids=["gevent", "eventlet"],
)
def test_green_first_calls_of_a_preloaded_worker_are_many(
    node: CrossbarNode, callee: Callee, server: Server
) -> None:
    """The application was there before the patches; each of its first requests wants the link."""
    with start(server, node, env={"FLASK_WAMP_SERVE": "false"}) as running:
        assert running.program is not None
        running.program.wait_for("Booting worker")
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda n: running.get(f"/call/{n}").json, range(20)))
        assert answers == [{"answer": 2 * number} for number in range(20)]


def run(variable: str, code: str, node: CrossbarNode) -> str:
    """Run *code* in an environment, and return what it says."""
    env = {"FLASK_WAMP_URL": node.backend_url, "FLASK_WAMP_URI_PREFIX": "com.green"}
    with Program(environment(variable), "-W", "ignore", "-c", code, env=env) as program:
        assert program.wait() == 0, program.output
        return program.output


PATCH = {
    SERVERS: "from gevent import monkey; monkey.patch_all()",
    EVENTLET: "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("variable", PATCH)
def test_green_reactor_that_was_imported_before_the_patches_is_refused(
    node: CrossbarNode, variable: str
) -> None:
    """It would stop every green thread of the process for good."""
    code = f"""
from twisted.internet import reactor
{PATCH[variable]}
from flask import g
from flask_wamp import SetupError
from tests.servers.app import app
with app.app_context():
    try:
        g.wampy.call("com.peer.double", 1)
    except SetupError as error:
        print(error)
"""
    assert "patch first" in run(variable, code, node)


def test_green_threads_of_eventlet_wake_the_reactor_one_by_one(node: CrossbarNode) -> None:
    """Without that, eventlet raises "Second simultaneous write on fileno" in most of them."""
    code = f"""
{PATCH[EVENTLET]}
import threading
from flask_wamp._twisted.reactor_thread import running_reactor
reactor, done, failed = running_reactor(), [], []
def wake():
    for _ in range(100):
        try:
            reactor.callFromThread(done.append, 1)
        except RuntimeError as error:
            failed.append(error)
threads = [threading.Thread(target=wake) for _ in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ended = threading.Event()
reactor.callFromThread(ended.set)
ended.wait()
print(len(done), "done", len(failed), "failed")
"""
    assert run(EVENTLET, code, node) == "5000 done 0 failed\n"


def test_green_servers_are_of_the_table() -> None:
    assert set(GREEN) <= ALL.keys()
