"""``flask wamp health`` and ``flask wamp metrics``: asking a node how it is, over HTTP."""

import json
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

from ..node.asking import ask, door_at, door_of
from ..node.command import NodeError
from .failures import Misused, NotReached, one_line
from .output import printable
from .place import config_option


class NotReady(click.ClickException):
    """The node has answered that it is not ready."""

    exit_code: ClassVar[int] = 1


_C = TypeVar("_C", bound=Callable[..., Any])


def _options(path: str, text: str) -> Callable[[_C], _C]:
    """Return what gives a command its options, --url first."""

    def add(command: _C) -> _C:
        seconds = click.FloatRange(0.1, 3600)
        for option in (
            click.option(
                "--timeout",
                type=seconds,
                default=3.0,
                show_default=True,
                help="Seconds for the answer.",
            ),
            click.option(
                "--token",
                envvar=("WAMP_METRICS_TOKEN", "FLASK_WAMP_METRICS_TOKEN"),
                help="The application's WAMP_METRICS_TOKEN; better in the environment.",
            ),
            config_option,
            click.option("--url", help=f"{text}; by default {path} of the configuration's node."),
        ):
            command = option(command)
        return command

    return add


@click.command("health")
@_options("/readyz", "Where the application says whether it is ready")
def health(url: str | None, config: Path, token: str | None, timeout: float) -> None:
    """Tell whether a node is ready; for a container's health check.

    It prints a line. Exit codes: 0 ready, 1 not ready, 3 no answer.
    """
    url, status, body = _get(url, config, "/readyz", token, timeout)
    missing = _missing(body)
    if status != 200:
        told = missing or f"{url} answers with status {status}"
        remedy = _blueprint("health") if status == 404 else ""
        raise NotReady(f"not ready: {told}{remedy}")
    click.echo("ready")


@click.command("metrics")
@_options("/metrics", "Where the application shows its metrics")
def metrics(url: str | None, config: Path, token: str | None, timeout: float) -> None:
    """Print the metrics of a node, as Prometheus reads them.

    Exit codes: 0 printed, 1 refused, 3 no answer.
    """
    url, status, body = _get(url, config, "/metrics", token, timeout)
    if status != 200:
        is_page = body.lstrip().startswith("<")
        said = _blueprint("metrics") if status == 404 and is_page else f": {_line(body)}"
        raise click.ClickException(f"{url} answers with status {status}{said}")
    click.echo(body, nl=False)


def _get(
    url: str | None, config: Path, path: str, token: str | None, timeout: float
) -> tuple[str, int, str]:
    """Return the address, and the status and body of the answer.

    :raises NotReached: there is none.
    """
    try:
        door, path = (door_of(config), path) if url is None else door_at(url)
    except ValueError as error:
        raise Misused(str(error)) from None
    except NodeError as error:
        raise click.ClickException(str(error)) from None
    shown = f"{door}{path}"
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return shown, *ask(door, path, headers, timeout)
    except (OSError, HTTPException) as error:
        raise NotReached(f"{shown} does not answer: {one_line(error)}") from None


def _blueprint(name: str) -> str:
    """Return what to do where nothing is at an address."""
    blueprint = f"app.register_blueprint(flask_wamp.observe.{name}())"
    return f"; {blueprint} has it there, and --url names another address"


def _missing(body: str) -> str:
    """Return what is missing, as the application says it, in one line."""
    try:
        told = json.loads(body)
        detail = told.get("detail", {})
        parts = [_with_detail(kind, detail.get(kind, ())) for kind in told["missing"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return _line(", ".join(parts))


def _with_detail(kind: str, found: Sequence[str]) -> str:
    return f"{kind} ({', '.join(map(str, found))})" if found else str(kind)


def _line(text: str) -> str:
    return printable(" ".join(text.split()))[:500]
