"""The reactor in a thread: small programs, since a process has but one."""

import json

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


def test_reactor_thread_after_a_fork() -> None:
    """A child gets a reactor of its own, whether the parent's ran or not."""
    printed = run_program(
        """
        import json, os, sys, threading, warnings
        from flask_wamp._twisted.reactor_thread import running_reactor

        warnings.simplefilter("ignore", DeprecationWarning)

        def turns(reactor):
            ran = threading.Event()
            reactor.callFromThread(ran.set)
            return ran.wait(10)

        def in_child():
            reading, writing = os.pipe()
            child = os.fork()
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
        """
    )
    assert json.loads(printed) == [True, True, True, True]
