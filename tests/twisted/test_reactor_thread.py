"""The reactor in a thread: small programs, since a process has but one."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from flask_wamp import SetupError
from flask_wamp._twisted import reactor_thread
from flask_wamp._twisted.engine.green import patched_by, waits_for_all, wake_one_by_one
from tests.unit.doubles import run_program


def test_reactor_thread_runs_once_and_lets_the_process_end() -> None:
    printed = run_program(
        """
        import json, threading
        from concurrent.futures import ThreadPoolExecutor
        from flask_wamp._twisted.reactor_thread import running_reactor

        with ThreadPoolExecutor(8) as threads:
            reactors = set(threads.map(lambda _: running_reactor(), range(8)))
        (reactor,) = reactors
        ran = threading.Event()
        reactor.callFromThread(ran.set)
        named = [t.name for t in threading.enumerate()]
        print(json.dumps([ran.wait(10), reactor.running, named.count("flask-wamp reactor")]))
        """
    )
    assert json.loads(printed) == [True, True, 1]


def test_reactor_thread_is_the_one_that_runs() -> None:
    """In a worker of Crossbar, and in whatever program Twisted runs."""
    printed = run_program(
        """
        from twisted.internet import reactor
        from flask_wamp._twisted.reactor_thread import running_reactor

        def look():
            print(running_reactor() is reactor)
            reactor.stop()

        reactor.callWhenRunning(look)
        reactor.run()
        """
    )
    assert printed == "True\n"


@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_reactor_thread_after_a_fork(fork: str) -> None:
    """A child gets a reactor of its own, whether the parent's ran or not.

    And whether Python was told of the fork, or not: uWSGI does not tell.
    """
    printed = run_program(
        """
        import ctypes, json, os, sys, threading, warnings
        from flask_wamp._twisted.reactor_thread import running_reactor

        warnings.simplefilter("ignore", DeprecationWarning)

        def turns(reactor):
            ran = threading.Event()
            reactor.callFromThread(ran.set)
            return ran.wait(10)

        def in_child():
            reading, writing = os.pipe()
            child = eval(sys.argv[1])
            if child == 0:
                reactor = running_reactor()
                os.write(writing, json.dumps([turns(reactor), id(reactor)]).encode())
                os._exit(0)
            os.close(writing)
            os.waitpid(child, 0)
            return json.loads(os.read(reading, 1000))

        before, _ = in_child()
        reactor = running_reactor()
        assert turns(reactor)
        after, other = in_child()
        print(json.dumps([before, after, other != id(reactor), turns(reactor)]))
        """,
        fork,
    )
    assert json.loads(printed) == [True, True, True, True]


# --- green threads; with those of gevent and eventlet in tests/servers/test_green.py


@pytest.mark.parametrize(
    ("module", "name", "patched"),
    [
        ("gevent.monkey", "is_module_patched", "gevent"),
        ("eventlet.patcher", "is_monkey_patched", "eventlet"),
    ],
)
def test_reactor_thread_knows_who_has_patched(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, patched: str
) -> None:
    """Being imported is not enough."""
    assert patched_by() is None
    for is_patched, found in ((False, None), (True, patched)):
        stand_in = SimpleNamespace(**{name: lambda _part, is_patched=is_patched: is_patched})
        monkeypatch.setitem(sys.modules, module, stand_in)
        assert patched_by() == found


def test_reactor_thread_is_refused_where_it_would_stop_green_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twisted.internet import reactor

    assert waits_for_all(reactor)
    monkeypatch.setattr(reactor_thread, "patched_by", lambda: "gevent")
    with pytest.raises(SetupError, match=r"imported before gevent patched this process.*: patch"):
        reactor_thread._start()


def test_reactor_thread_is_woken_by_one_at_a_time() -> None:
    inside, most, woken = 0, 0, []

    def call_from_thread(work: Any, *args: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.001)  # as a pipe that lets others run
        woken.append((work, *args))
        inside -= 1

    reactor: Any = SimpleNamespace(callFromThread=call_from_thread)
    wake_one_by_one(reactor)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: reactor.callFromThread(print, n), range(40)))
    assert most == 1
    assert sorted(args for _work, args in woken) == list(range(40))


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({"master": True}, False),
        ({"enable-threads": True}, True),
        ({"threads": b"4"}, True),
        ({"gevent": b"100"}, True),
    ],
)
def test_reactor_thread_needs_the_threads_of_uwsgi(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], runs: bool
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    if runs:
        reactor_thread.refuse_without_threads()
        return
    with pytest.raises(SetupError, match="start it with --enable-threads, or with --threads"):
        reactor_thread.refuse_without_threads()
