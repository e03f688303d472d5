"""The Python wampy 1.1.0 as a peer, in a process and an environment of its own.

``python wampy_peer.py URL KIND`` joins realm1 at the URL, reads orders from stdin, one JSON object a
line, and writes answers and events to stdout likewise. It knows nothing of the project.
"""

# mypy: ignore-errors
import datetime as dt
import json
import sys

import gevent
import wampy.backends.gevent_  # noqa: F401 - patches the standard library
from gevent.hub import get_hub
from wampy.errors import WampyError
from wampy.messages import Error
from wampy.peers.clients import Client
from wampy.roles.callee import callee
from wampy.roles.subscriber import subscribe


def tell(**what):
    """Write an answer or event."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Peer(Client):
    """A caller and publisher."""


class Service(Client):
    """A callee and subscriber, declared as wampy's users declare theirs."""

    @callee
    def wampy_country(self, name, *args, **kwargs):
        """Answer a call."""
        return {"country": name.upper(), "args": args, "kwargs": kwargs}

    @callee
    def wampy_refuse(self, reason):
        """Answer with an error."""
        raise ValueError(reason)

    @subscribe(topic="com.test.for_wampy")
    def on_event(self, *args, **kwargs):
        """Pass an event on to the test."""
        meta = kwargs.pop("meta")
        tell(event=meta["topic"], args=args, kwargs=kwargs)


class Dates(Client):
    """The services of the predecessor's own tests."""

    @callee
    def get_todays_date(self):
        """Answer a call without arguments."""
        return dt.date.today().isoformat()  # noqa: DTZ011

    @subscribe(topic="spam")
    def on_spam(self, *args, **kwargs):
        """Pass an event on to the test."""
        tell(event="spam", args=args, kwargs=kwargs)


KINDS = {
    # The class, how many procedures it registers, and how many topics it subscribes to.
    "peer": (Peer, 0, 0),
    "service": (Service, 2, 1),
    "dates": (Dates, 1, 1),
}


def obey(client, order):
    """Do what an order says, and return the answer."""
    args, kwargs = order.get("args", []), order.get("kwargs", {})
    try:
        if order["do"] == "call":
            answer = client.call(order["uri"], *args, **kwargs)
            if isinstance(answer, Error):
                return {"error": str(answer.message[4]), "args": answer.message[5]}
            return {"result": answer}
        if order["do"] == "rpc":
            return {"result": getattr(client.rpc, order["uri"])(*args, **kwargs)}
        client.publish(topic=order["topic"], **kwargs)
        return {"result": None}
    except WampyError as error:
        return {"error": str(error)}


def main():
    """Serve orders until stdin ends."""
    url, kind = sys.argv[1:]
    make, *wanted = KINDS[kind]
    client = make(url=url)
    client.start()
    with gevent.Timeout(20):
        session = client.session
        while [len(session.registration_map), len(session.subscription_map)] != wanted:
            gevent.sleep(0.01)
    tell(ready=True)
    pool = get_hub().threadpool
    while line := pool.apply(sys.stdin.readline):
        tell(**obey(client, json.loads(line)))
    client.stop()


if __name__ == "__main__":
    main()
