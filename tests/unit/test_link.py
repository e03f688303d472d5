"""The link slot."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

from flask_wamp.call.link import Link
from flask_wamp.results import CallResult
from flask_wamp.state import LinkSlot

from .doubles import RecordingLink, run_program


def test_link_slot_makes_a_link_at_the_first_use() -> None:
    slot = LinkSlot()
    link = slot.get(RecordingLink)
    assert slot.link is link
    assert slot.get(RecordingLink) is link


def test_link_slot_uses_what_is_attached() -> None:
    slot = LinkSlot()
    link = RecordingLink()
    slot.attach(link)
    assert slot.get(RecordingLink) is link
    slot.attach(None)
    assert slot.link is None
    assert slot.get(RecordingLink) is not link


def test_link_slot_makes_one_link_for_many_threads() -> None:
    slot = LinkSlot()
    made: list[RecordingLink] = []
    using = threading.Semaphore(0)

    def make() -> Link:
        for _ in range(16):
            assert using.acquire(timeout=30)
        made.append(RecordingLink())
        return made[-1]

    def use(_: int) -> Link:
        using.release()
        return slot.get(make)

    with ThreadPoolExecutor(16) as threads:
        links = set(threads.map(use, range(16)))
    assert links == set(made)
    assert len(made) == 1


def test_link_slot_stays_empty_when_making_fails() -> None:
    slot = LinkSlot()

    def fail() -> Link:
        raise OSError

    for _ in range(2):
        try:
            slot.get(fail)
        except OSError:
            continue
        raise AssertionError("the failure was swallowed")
    assert isinstance(slot.get(RecordingLink), RecordingLink)


def test_link_slot_is_empty_after_a_fork() -> None:
    """Whatever thread of the parent held the lock, the child can make a link of its own."""
    printed = run_program(
        """
        import json, os, threading, warnings
        from flask_wamp.state import LinkSlot

        # Python 3.12 warns of every fork beside threads, which is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        slot, held, attached = LinkSlot(), LinkSlot(), LinkSlot()
        slot.get(lambda: "parent")
        attached.attach("component")
        making, go_on = threading.Event(), threading.Event()

        def make():
            making.set()
            go_on.wait()
            return "parent"

        thread = threading.Thread(target=held.get, args=(make,))
        thread.start()
        making.wait()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            links = [s.link for s in (slot, held, attached)]
            links += [s.get(lambda: "child") for s in (slot, held, attached)]
            os.write(writing, json.dumps(links).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        go_on.set()
        thread.join()
        in_child = json.loads(os.read(reading, 1000))
        print(json.dumps([in_child, [s.link for s in (slot, held, attached)]]))
        """
    )
    in_child, in_parent = json.loads(printed)
    assert in_child == [None, None, None, "child", "child", "child"]
    assert in_parent == ["parent", "parent", "component"]


def test_link_call_result_is_empty_by_default() -> None:
    assert CallResult() == CallResult((), {})
    assert CallResult((1,)) != CallResult((2,))
