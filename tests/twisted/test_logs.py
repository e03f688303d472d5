"""What Twisted's logger gets, as Python's logging has it in processes that Crossbar.io does not run."""

import logging
from collections.abc import Iterator

import pytest
from twisted.logger import Logger, globalLogPublisher

from flask_wamp._twisted import logs


@pytest.fixture(autouse=True)
def handed_on() -> Iterator[None]:
    """Hand on, whether the reactor of this process has started or not."""
    is_usual = logs._hand_on in globalLogPublisher._observers
    logs.use_python_logging()
    yield
    if not is_usual:
        globalLogPublisher.removeObserver(logs._hand_on)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    """Return logger, level and message of all that was logged."""
    return caplog.record_tuples


def test_logs_hand_on_what_is_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = Logger(namespace="flask_wamp._twisted.anything")
    log.info("flask-wamp: {what} registered", what=7)
    log.info("anything else")
    assert told(caplog) == [("flask_wamp", logging.INFO, "7 registered")]


@pytest.mark.parametrize("namespace", ["twisted.internet.defer", "autobahn.wamp", "txaio.tx"])
def test_logs_hand_on_what_is_wrong_below(caplog: pytest.LogCaptureFixture, namespace: str) -> None:
    caplog.set_level(logging.DEBUG)
    log = Logger(namespace=namespace)
    log.info("usual")
    log.warn("strange {what}", what=7)  # noqa: G010 - a logger of Twisted's
    try:
        raise LookupError("nobody has handled it")
    except LookupError:
        log.failure("Unhandled error in Deferred")
    assert told(caplog) == [
        (namespace, logging.WARNING, "strange 7"),
        (namespace, logging.CRITICAL, "Unhandled error in Deferred"),
    ]
    exc_info = caplog.records[-1].exc_info
    assert exc_info is not None
    assert str(exc_info[1]) == "nobody has handled it"


@pytest.mark.parametrize("namespace", ["shop", "twistedly.named", "crossbar.router"])
def test_logs_hand_on_nothing_of_others(caplog: pytest.LogCaptureFixture, namespace: str) -> None:
    Logger(namespace=namespace).critical("theirs to tell")
    assert told(caplog) == []
