"""Whether a node can do its work."""

from dataclasses import replace

from flask_wamp.health import Health


def test_a_node_is_ready_when_everything_is_there_and_it_does_not_stop() -> None:
    ready = Health(joined=True, looked=True)
    assert ready.is_ready
    assert not Health().is_ready
    assert not replace(ready, joined=False).is_ready
    assert not replace(ready, looked=False).is_ready
    assert not replace(ready, missing=["com.test.add"]).is_ready
    assert not replace(ready, stopping=True).is_ready
