"""Arguments of calls and events as a shell can give them: JSON, ``key=value``, or text."""

import base64
import binascii
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from ..payload import MAX_DEPTH
from ..state import State
from ..uris import malformed_uri
from .application import declared_state, procedures_of, topics_of

#: What `--help` says of them.
ARGUMENTS = """\b
Each of ARGS is
  - JSON, where it is that: 3, true, null, '[1, 2]', '{"a": 1}', '"3"'
  - key=value, a keyword argument, whose value is JSON or text
  - @FILE, the JSON of a file, or - for that of standard input
  - else text: tea needs no quotes of its own
After -- nothing is an option any more.
"""

if TYPE_CHECKING:
    _ParamType = click.ParamType[str]
else:
    # Before click 8.5 it is not generic.
    _ParamType = click.ParamType

_KEYWORD = re.compile(r"([^\W\d][\w-]*)=(.*)", re.DOTALL)
#: Brackets, and strings, whose brackets do not count.
_BRACKET = re.compile(r'[\[\]{}]|"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"-\.?\d")


class Uri(_ParamType):
    """A URI, completed from those that the application declares.

    :param declared: lists them.
    :param pattern: it may be a pattern, whose form the command checks.
    """

    name = "uri"

    def __init__(self, declared: Callable[[State], list[str]], *, pattern: bool = False) -> None:
        self._declared = declared
        self._pattern = pattern

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return *value*, or refuse what is no URI."""
        reason = None if self._pattern else malformed_uri(value)
        if reason:
            self.fail(f"{value!r} is not a URI: {reason}", param, ctx)
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - a shell asks for one of them
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the declared URIs that begin so."""
        try:
            state = declared_state(ctx)
        except Exception:  # noqa: BLE001
            # An application that fails to import may raise anything at all, and a shell that
            # completes a word has no place for it.
            return []
        uris = self._declared(state) if state is not None else []
        return [CompletionItem(uri) for uri in uris if uri.startswith(incomplete)]


PROCEDURE = Uri(procedures_of)
TOPIC = Uri(topics_of)
TOPICS = Uri(topics_of, pattern=True)


class WithArguments(click.Command):
    """A command whose arguments ``URI`` and ``ARGS`` may be negative numbers.

    To click those look like options. What does and is neither is refused as click refuses it, and
    after ``--`` everything is an argument.
    """

    ignore_unknown_options = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse *args*, and refuse options that there are not."""
        guarded = len(args) - args.index("--") - 1 if "--" in args else 0
        rest = super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return rest
        given = [ctx.params["uri"], *ctx.params["args"]]
        for arg in given[: max(0, len(given) - guarded)]:
            if arg.startswith("-") and arg != "-" and not _NUMBER.match(arg):
                options = [name for param in self.get_params(ctx) for name in param.opts]
                raise click.NoSuchOption(arg.partition("=")[0], possibilities=options, ctx=ctx)
        return rest


def parse_arguments(given: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the keyword arguments that were given on a command line.

    A text that begins with NUL and goes on in base64 is bytes, as WAMP has them in JSON (spec, 6.2).

    :raises click.UsageError: one of them cannot be.
    """
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    reader = _Reader()
    for arg in given:
        keyword = _KEYWORD.fullmatch(arg)
        # JSON has no "=" outside of a string, and then begins with a quote or a bracket.
        if keyword is None:
            positional.append(reader.value_of(arg))
        elif keyword[1] in keywords:
            raise click.UsageError(f"the keyword argument {keyword[1]!r} is given twice.")
        else:
            keywords[keyword[1]] = reader.value_of(keyword[2])
    return positional, keywords


class _Reader:
    """Reads the values of one command line, which has one standard input."""

    def __init__(self) -> None:
        self._has_read = False

    def value_of(self, text: str) -> Any:
        """Return the value that *text* stands for."""
        if text == "-":
            return self._input()
        if text.startswith("@") and len(text) > 1:
            return _content(text)
        try:
            return _loads(text)
        except ValueError:
            return text

    def _input(self) -> Any:
        if self._has_read:
            raise click.UsageError("standard input, '-', can be one of the arguments only.")
        self._has_read = True
        try:
            return _loads(sys.stdin.read())
        except ValueError as error:
            raise click.UsageError(f"standard input is no JSON: {error}.") from None


def _content(text: str) -> Any:
    try:
        return _loads(Path(text[1:]).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(
            f"{text} cannot be read: {error.strerror}. Write '{json.dumps(text)}' for the text."
        ) from None
    except ValueError as error:
        raise click.UsageError(f"{text} is no JSON: {error}.") from None


def _loads(text: str) -> Any:
    """Return the value of JSON.

    :raises ValueError: it is none.
    """
    if _depth_of(text) > MAX_DEPTH:
        # Python reads it by recursion, whose limit an application may have raised.
        raise click.UsageError(f"an argument is nested over {MAX_DEPTH} deep, and cannot travel.")
    return _with_bytes(json.loads(text, parse_constant=_refuse_constant))


def _depth_of(text: str) -> int:
    """Return how deep the lists and objects of JSON are nested."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        if bracket in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in ("]", "}"):
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what Python's JSON has beyond JSON: NaN and Infinity."""
    raise ValueError(f"{name} is not JSON")


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_bytes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if isinstance(value, str) and value.startswith("\0"):
        try:
            return base64.b64decode(value[1:], validate=True)
        except binascii.Error:
            # It cannot travel, and is refused as that.
            return value
    return value


def host_name(value: str) -> str:
    """Return *value*, a host's name.

    :raises click.BadParameter: it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})", value):
        raise click.BadParameter(f"{value!r} is no host: write a name, as in shop.example")
    return value.lower()
