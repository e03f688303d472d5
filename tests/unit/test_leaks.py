"""The fixture that fails leaking tests sees each kind of leak."""

import socket
import subprocess
import sys
import threading

from flask import Flask

from tests.conftest import Footprint, leaks_since


def test_leaks_nothing() -> None:
    assert leaks_since(Footprint.take(), grace=0) == []


def test_leaks_thread() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="lingering")
    earlier = Footprint.take()
    thread.start()
    try:
        assert leaks_since(earlier, grace=0) == ["thread 'lingering'"]
    finally:
        end.set()
        thread.join()
    assert leaks_since(earlier, grace=0) == []


def test_leaks_thread_that_ends_in_time() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    timer = threading.Timer(0.05, end.set)
    earlier = Footprint.take()
    thread.start()
    timer.start()
    assert leaks_since(earlier) == []
    assert not thread.is_alive()


def test_leaks_reactor_threads_are_no_leak() -> None:
    end = threading.Event()
    threads = [
        threading.Thread(target=end.wait, name=name)
        for name in ("flask-wamp reactor", "PoolThread-twisted.internet.reactor-0")
    ]
    earlier = Footprint.take()
    for thread in threads:
        thread.start()
    try:
        assert leaks_since(earlier, grace=0) == []
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_leaks_process() -> None:
    earlier = Footprint.take()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (leak,) = leaks_since(earlier, grace=0)
        assert f"pid={process.pid}" in leak
    assert leaks_since(earlier) == []


def test_leaks_socket() -> None:
    earlier = Footprint.take()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (leak,) = leaks_since(earlier, grace=0)
        assert leak.startswith(f"socket {listening.fileno()} ")
        assert f"port={listening.getsockname()[1]}" in leak
    assert leaks_since(earlier, grace=0) == []


def test_leaks_unix_socket() -> None:
    earlier = Footprint.take()
    one, other = socket.socketpair()
    assert len(leaks_since(earlier, grace=0)) == 2
    one.close()
    other.close()
    assert leaks_since(earlier, grace=0) == []


def test_leaks_context() -> None:
    earlier = Footprint.take()
    context = Flask("leaky").app_context()
    context.push()
    try:
        assert leaks_since(earlier, grace=0) == ["a pushed application context"]
    finally:
        context.pop()
