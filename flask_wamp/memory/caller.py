"""A peer of an application under test: who calls it, and publishes what it handles."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..call.pending import Stream, raise_declared
from ..context import Cancellation
from ..errors import RemoteError, SetupError
from ..payload import encode_arguments
from ..serve.defects import Defect
from ..serve.dispatcher import Send
from ..signals import SessionInfo
from ..uris import malformed_uri
from .router import MemoryRouter
from .stubs import NotStubbed
from .wire import travelled


class Setting:
    """What the peers of one test have in common.

    :ivar propagate: whether what a view or handler raises and nobody has foreseen reaches the
        test; None as Flask's own test client has it.
    :ivar is_used: whether the application calls and publishes in memory.
    """

    def __init__(self, router: MemoryRouter, *, propagate: bool | None) -> None:
        self.router = router
        self.propagate = propagate
        self.is_used = False

    @property
    def propagates(self) -> bool:
        """Whether defects reach the test."""
        app = self.router.state.app
        for said in (self.propagate, app.config["PROPAGATE_EXCEPTIONS"]):
            if said is not None:
                return bool(said)
        return app.testing or app.debug

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Refuse to be asked while not in use, and raise what handlers raise meanwhile."""
        if not self.is_used:
            raise SetupError(
                "the test client is not in use: with wamp.test_client() as client: client.call(...)"
            )
        with self.router.shown() if self.propagates else _unshown():
            yield


class Caller:
    """Calls and publishes as a peer with an identity of its own does.

    :ivar session: who it is, as ``flask_wamp.invocation`` and ``event`` say.
    """

    def __init__(self, setting: Setting, session: SessionInfo) -> None:
        self.session = session
        self._setting = setting
        self._router = setting.router

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure of the application, and return what a caller gets.

        That is the value as it has travelled: tuples are lists, dates are what ``app.json`` makes
        of them; a :class:`~flask_wamp.CallResult` where the view gives several. What a generator
        yields is a list.

        :raises RemoteError: the answer is an error; the class that is declared with
            ``@wamp.error`` is raised in its place.
        :raises Exception: what the view has raised and nobody has foreseen, where the application
            is ``testing``; else ``wamp.error.runtime_error`` as in production.
        :raises PayloadError: an argument cannot travel.
        """
        payload, keywords = self._encoded("call", uri, args, kwargs)
        with self._setting.asked():
            try:
                return self._call(uri, payload, keywords)
            except RemoteError as error:
                raise_declared(error, self._router.state.registry)

    def stream(self, uri: str, /, *args: Any, **kwargs: Any) -> Stream:
        """Call a procedure of the application for its progressive results.

        A generator goes on when the next result is asked for, on a thread of its own, and is
        closed when the loop is left. A last result that is not None is the last item.

        Iterating raises what :meth:`call` does.
        """
        payload, keywords = self._encoded("stream", uri, args, kwargs)

        def call(send: Send, cancellation: Cancellation) -> Any:
            return self._call(uri, payload, keywords, send, cancellation)

        with self._setting.asked():
            results = self._router.stream(call)
        return Stream(uri, results, self._router.state.registry)

    def publish(self, /, topic: str, *args: Any, **kwargs: Any) -> int:
        """Publish an event, and return its publication id when all handlers are done.

        :raises Exception: what a handler has raised, where the application is ``testing``; else
            that is logged, as in production. The other handlers have handled the event.
        :raises PayloadError: an argument cannot travel.
        """
        payload, keywords = self._encoded("publish", topic, args, kwargs)
        travelled(payload, keywords)
        with self._setting.asked():
            return self._router.publish(self.session, topic, payload, keywords)

    def __repr__(self) -> str:
        name = self._router.state.app.name
        who = f"{self.session.authid!r}, {self.session.authrole!r}"
        return f"<{type(self).__name__} of {name!r}: {who}>"

    def _call(
        self,
        uri: str,
        args: list[Any],
        kwargs: dict[str, Any],
        send: Send | None = None,
        cancellation: Cancellation | None = None,
    ) -> Any:
        defect: BaseException | None = None
        try:
            return self._router.call(self.session, uri, args, kwargs, send, cancellation)
        except RemoteError as error:
            defect = self._defect_behind(error)
            if defect is None:
                raise
        # Out here, so that it is raised with no context but its own.
        raise defect

    def _defect_behind(self, error: RemoteError) -> BaseException | None:
        """Return what the test is to see in place of *error*."""
        answer = error.__cause__
        found = answer.__cause__ if isinstance(answer, Defect) else None
        is_shown = self._setting.propagates or isinstance(found, NotStubbed)
        return found if is_shown else None

    def _encoded(
        self, method: str, uri: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        reason = malformed_uri(uri)
        if reason:
            raise ValueError(f"client.{method}: {uri!r} is not a URI: {reason}")
        return encode_arguments(args, kwargs, self._router.state.app.json)


@contextmanager
def _unshown() -> Iterator[None]:
    yield
