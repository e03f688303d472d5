"""The way out of an application under test: to its own procedures, or to stubs."""

from collections.abc import Sequence
from contextvars import Context
from typing import Any

from ..call.link import Answer
from ..call.options import Options, carried_by, event_id_of
from ..context import Cancellation
from ..declare.declared import Procedure, Subscription
from ..errors import CANCELED, CallTimeout, Canceled, NotConnected
from ..serve.dispatcher import Send
from ..signals import SessionInfo
from . import history, registrations
from .pages import ANSWERED
from .records import Call, Publication
from .router import MemoryRouter, gets
from .streams import SteppedResults
from .stubs import NotStubbed, Stubs, not_stubbed
from .wire import received, travelled

_OF_THE_ROUTER = frozenset({*history.PROCEDURES, *registrations.PROCEDURES})


class MemoryAnswer:
    """The answer to a call that was started, which is there; see :class:`Answer`.

    One that is to time out is there when it is asked for.
    """

    def __init__(self, value: Any, error: Exception | None = None) -> None:
        self._value = value
        self._error = error

    def done(self) -> bool:
        """Tell whether the answer is there."""
        return not isinstance(self._error, CallTimeout)

    def result(self, timeout: float | None) -> Any:  # noqa: ARG002
        """Return the result; there is nothing to wait for."""
        if self._error is not None:
            raise self._error
        return self._value

    def cancel(self) -> None:
        """Want the answer no more."""
        if not self.done():
            self._error = Canceled(CANCELED, ["the call was canceled by this process"])


class MemoryLink:
    """What ``g.wampy`` calls and publishes through while a test client is in use.

    See :class:`~flask_wamp.call.link.Link`.

    :param delivers: whether what is published reaches the application's own handlers.
    :ivar calls: what was called, in order.
    :ivar published: what was published, in order.
    """

    def __init__(
        self,
        router: MemoryRouter,
        stubs: Stubs,
        refusals: Stubs,
        session: SessionInfo,
        *,
        delivers: bool,
    ) -> None:
        self.calls: list[Call] = []
        self.published: list[Publication] = []
        self.session = session
        self._router = router
        self._stubs = stubs
        self._refusals = refusals
        self._delivers = delivers

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call a stub, or a procedure of the application itself, or of the router's process."""
        self._refuse_absent()
        if uri in ANSWERED:
            return self._router.pages.answer(uri, args)
        self._note_call(uri, args, kwargs, options)
        return self._answer(uri, args, kwargs)

    def start(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> MemoryAnswer:
        """Call at once; what comes of it is the answer."""
        if self._router.absent is None:
            self._note_call(uri, args, kwargs, options)
        try:
            self._refuse_absent()
            return MemoryAnswer(self._answer(uri, args, kwargs))
        except NotStubbed:
            # Whether anybody asks for the result or not.
            raise
        except Exception as error:  # noqa: BLE001
            # It is raised where the result is asked for.
            return MemoryAnswer(None, error)

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait for nothing: the answers are there."""

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> SteppedResults:
        """Call for progressive results."""

        def call(send: Send, cancellation: Cancellation) -> Any:
            self._refuse_absent()
            return self._answer(uri, args, kwargs, send, cancellation)

        if self._router.absent is None:
            self._note_call(uri, args, kwargs, options)
        return self._router.stream(call)

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to the application's own handlers, if they are among the receivers."""
        self._refuse_absent()
        refusal = self._refusals.find(topic)
        if refusal is not None:
            if options.acknowledge is not False:
                refusal.answer([], {}, None)
            return None
        # What is too big goes to nobody.
        travelled(args, kwargs)
        usual = self._router.state.default_options
        record = Publication.of(topic, args, kwargs, options, usual)
        record.event_id = event_id_of(options)
        self.published.append(record)
        record.id = self._router.publish(
            self.session,
            topic,
            args,
            kwargs,
            handle=self._delivers and gets(self.session, options),
            retain=bool(options.retain),
            carried=carried_by(options),
        )
        return None if options.acknowledge is False else record.id

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:  # noqa: ARG002
        """Serve what was declared, as all is that the registry has."""
        self._refuse_absent()
        if isinstance(declared, Subscription):
            self._router.hand_retained(declared)

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:  # noqa: ARG002
        """Serve *declared* no more."""
        self._router.state.dispatcher.forget(declared)
        self._refuse_absent()

    def _note_call(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> None:
        """Note a call.

        :raises NotStubbed: nobody answers it.
        """
        usual = self._router.state.default_options
        self.calls.append(Call.of(uri, args, kwargs, options, usual))
        is_answered = self._stubs.find(uri) is not None or self._router.serves(uri)
        if not is_answered and uri not in _OF_THE_ROUTER:
            raise not_stubbed(uri)

    def _answer(
        self,
        uri: str,
        args: list[Any],
        kwargs: dict[str, Any],
        send: Send | None = None,
        cancellation: Cancellation | None = None,
    ) -> Any:
        stub = self._stubs.find(uri)
        if stub is not None:
            # As far away as any other service: without the contexts of the caller.
            return Context().run(stub.answer, *travelled(args, kwargs), send)
        if uri in history.PROCEDURES:
            return received(self._router.history.answer(uri, args))
        if uri in registrations.PROCEDURES:
            registered = [*self._router.registered(), *self._stubs.keys()]
            return received(registrations.answer(uri, args, registered))
        return self._router.call(self.session, uri, args, kwargs, send, cancellation)

    def _refuse_absent(self) -> None:
        if self._router.absent is not None:
            raise NotConnected(self._router.absent, may_have_run=False)
