"""Begins to count for an application, where it wants that."""

import logging

from ..errors import invalid_config
from ..state import State
from .store import count_together, make_directory, shared_directory

log = logging.getLogger("flask_wamp")


def count_for(state: State) -> None:
    """Count what the application of *state* does, where ``WAMP_METRICS`` is on.

    It is called again when the process knows to which node it belongs: the module that has a node's
    components may have imported the application before.

    :raises ConfigError: prometheus-client is not installed.
    """
    if not state.config.metrics:
        return
    directory = shared_directory()
    try:
        if directory is not None:
            make_directory(directory)
            count_together(directory)
        from .meter import PrometheusMeter, metrics_for
        from .outgoing import MeasuredLink
    except ImportError as error:
        if error.name is None or not error.name.startswith("prometheus_client"):
            raise
        remedy = "the metrics need prometheus-client: pip install 'flask-wamp[metrics]'"
        raise invalid_config("WAMP_METRICS", True, remedy) from None
    except OSError as error:
        # Better a process that serves and is not counted than none.
        log.error("%s is not counted: its metrics cannot be kept: %s", state.app.name, error)
        return
    metrics = metrics_for(directory)
    meter = state.dispatcher.meter
    if not isinstance(meter, PrometheusMeter) or meter.metrics is not metrics:
        state.dispatcher.meter = PrometheusMeter(state.app, metrics)
        state.measured = lambda link: MeasuredLink(link, metrics)
