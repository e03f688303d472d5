"""A nameko service with the extension nameko-wamp 0.3.0, in an environment of its own.

``python nameko_peer.py URL KIND`` serves at the URL, and writes to stdout when it is ready and what it
consumes, one JSON object a line, until stdin ends. What else it does it is called for over WAMP. It
knows nothing of the project.
"""

# mypy: ignore-errors
# ruff: noqa: E402
import base64
import json
import os
import sys
import tempfile

os.environ["WAMPY_ASYNC_NAME"] = "eventlet"
# Python 3.9 has removed this, and array.tostring() below; wampy 0.9.19 is older than that.
base64.encodestring = base64.encodebytes

import eventlet

eventlet.monkey_patch()

from eventlet import tpool
from nameko.containers import ServiceContainer
from nameko_wamp.extensions import dependencies
from nameko_wamp.extensions.dependencies import Caller, Publisher
from nameko_wamp.extensions.entrypoints import callee, consume
from wampy.peers.routers import Crossbar
from wampy.transports import WebSocket
from wampy.transports.websocket import frames


class Array(frames.array.array):
    """An array as Python 3.8 had it."""

    tostring = frames.array.array.tobytes


class AnyRouter(Crossbar):
    """A router where the test has it: nameko-wamp knows ws://localhost:8080 alone."""

    def __init__(self, config_path):
        super().__init__(url=sys.argv[1], config_path=config_path)


def parse_url(transport, parse=WebSocket.parse_url):
    """Take a URL apart without the slash that wampy sends twice, for which Crossbar.io has no path."""
    parse(transport)
    transport.resource = transport.resource.lstrip("/")


frames.array = type("array", (), {"array": Array})
dependencies.Router = AnyRouter
WebSocket.parse_url = parse_url


def tell(**what):
    """Write an event, or that the service is ready."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Service:
    """A callee and consumer that calls and publishes, declared as nameko-wamp's README has it."""

    name = "service"
    caller = Caller()
    publisher = Publisher()

    @callee
    def nameko_country(self, name, *args, **kwargs):
        """Answer a call."""
        return {"country": name.upper(), "args": args, "kwargs": kwargs}

    @callee
    def nameko_ask(self, procedure, *args, **kwargs):
        """Answer a call with what another procedure answers."""
        return getattr(self.caller, procedure)(*args, **kwargs)

    @callee
    def nameko_tell(self, topic, **kwargs):
        """Publish."""
        self.publisher(topic=topic, **kwargs)

    @consume(topic="com.test.for_nameko")
    def on_event(self, *args, **kwargs):
        """Pass an event on to the test."""
        tell(event="com.test.for_nameko", args=args, kwargs=kwargs)


class Failing:
    """A callee that fails."""

    name = "failing"

    @callee
    def nameko_fail(self):
        """Answer with an exception."""
        raise ValueError("no")


#: The class, and how many procedures and topics it has.
KINDS = {"service": (Service, 4), "failing": (Failing, 1)}


def is_ready(container, wanted):
    """Tell whether everything is registered and subscribed."""
    clients = [getattr(each, "client", None) for each in container.extensions]
    sessions = [client.session for client in clients if client and client.session]
    found = [len(each.registration_map) + len(each.subscription_map) for each in sessions]
    return sum(found) == wanted


def main():
    """Serve until stdin ends."""
    service, wanted = KINDS[sys.argv[2]]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        # What nameko-wamp reads of a node's configuration.
        transport = {"endpoint": {"type": "tcp", "version": 4}}
        realm = {"name": "realm1", "roles": []}
        json.dump({"workers": [{"realms": [realm], "transports": [transport]}]}, config)
        config.flush()
        container = ServiceContainer(service, {"WAMPY": {"config_path": config.name}})
        container.start()
    with eventlet.Timeout(20):
        while not is_ready(container, wanted):
            eventlet.sleep(0.01)
    tell(ready=True)
    tpool.execute(sys.stdin.read)
    container.stop()


if __name__ == "__main__":
    main()
