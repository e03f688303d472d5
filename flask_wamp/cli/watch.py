"""``flask wamp health`` and ``flask wamp metrics``: asking a node how it is, over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any, ClassVar, TypeVar

import click

from .failures import NotReached, one_line
from .output import printable

#: Bytes of an answer that are read.
MOST = 64 * 2**20
_LOCAL = "http://127.0.0.1:8080"


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
                default=5.0,
                show_default=True,
                help="Seconds for the answer.",
            ),
            click.option(
                "--token",
                envvar=("WAMP_METRICS_TOKEN", "FLASK_WAMP_METRICS_TOKEN"),
                help="The application's WAMP_METRICS_TOKEN; better in the environment.",
            ),
            click.option("--url", default=_LOCAL + path, show_default=True, help=text),
        ):
            command = option(command)
        return command

    return add


@click.command("health")
@_options("/readyz", "Where the application says whether it is ready.")
def health(url: str, token: str | None, timeout: float) -> None:
    """Tell whether a node is ready; for a container's health check.

    It prints a line. Exit codes: 0 ready, 1 not ready, 3 no answer.
    """
    status, body = _get(url, token, timeout)
    missing = _missing(body)
    if status != 200:
        raise NotReady(f"not ready: {missing or f'{url} answers with status {status}'}")
    click.echo("ready")


@click.command("metrics")
@_options("/metrics", "Where the application shows its metrics.")
def metrics(url: str, token: str | None, timeout: float) -> None:
    """Print the metrics of a node, as Prometheus reads them.

    Exit codes: 0 printed, 1 refused, 3 no answer.
    """
    status, body = _get(url, token, timeout)
    if status != 200:
        raise click.ClickException(f"{url} answers with status {status}: {_line(body)}")
    click.echo(body, nl=False)


def _get(url: str, token: str | None, timeout: float) -> tuple[int, str]:
    """Return status and body of the answer.

    :raises NotReached: there is none.
    """
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("give an address, as in http://127.0.0.1:8080/readyz")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    # Whoever asks for a health check means the address, not a proxy of the environment's.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=timeout) as answer:
            return _read(answer)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error)
    except urllib.error.URLError as error:
        raise NotReached(f"{url} does not answer: {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise NotReached(f"{url} does not answer: {one_line(error)}") from None


def _read(answer: HTTPResponse | urllib.error.HTTPError) -> tuple[int, str]:
    return answer.status or 0, answer.read(MOST).decode("utf-8", "replace")


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
