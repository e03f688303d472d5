"""What an import shows of the applications and classes that a node names.

They are imported as its workers do it, in a process of their own: whatever an import does, it does
not do it here. ``python -m flask_wamp.node.probe`` is that process.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: What a SECRET_KEY may be.
MISSING, WEAK, STRONG = "missing", "weak", "strong"
#: Bytes of a SECRET_KEY that nobody guesses, and letters that differ in one.
KEY_BYTES, KEY_LETTERS = 16, 8
#: Seconds that the imports may take.
TIMEOUT = 60.0
APPLICATION, FACTORY, SESSION, OTHER, BROKEN = (
    "application",
    "factory",
    "session",
    "other",
    "broken",
)


@dataclass(frozen=True)
class Probe:
    """What a place turned out to be.

    :ivar kind: ``application``, ``factory`` (something to call), ``session`` (a class of a
        component), ``other``, or ``broken``: it could not be imported.
    :ivar error: why not, in one line.
    :ivar trace: the traceback.
    :ivar extension: the application has a WAMP extension.
    :ivar application: of a session class, the application that it is bound to.
    :ivar procedures: URI, match, invoke and the function's place of each.
    :ivar topics: of the subscriptions.
    :ivar rules: the URL rules of the application.
    :ivar secret_key: ``missing``, ``weak`` or ``strong``, or empty where that is not known; never itself.
    :ivar debug: the application is in debug mode.
    :ivar hosts: it names the hosts that it answers under.
    :ivar cookie_faults: what the cookie of its session lacks.
    """

    kind: str
    error: str = ""
    trace: str = ""
    extension: bool = False
    application: str = ""
    procedures: Sequence[Sequence[str]] = ()
    topics: Sequence[Sequence[str]] = ()
    rules: Sequence[str] = ()
    secret_key: str = ""
    debug: bool = False
    hosts: bool = False
    cookie_faults: Sequence[str] = ()


def probe(
    places: Iterable[str],
    *,
    path: Sequence[str],
    directory: Path,
    variables: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> dict[str, Probe]:
    """Import *places* in a process of its own.

    :param places: ``module:object`` or ``module.Class`` each.
    :param path: directories to import from, before those of this process.
    :param directory: the node's, where its workers run.
    :param variables: of the environment, beside those of this process.
    :param timeout: seconds that all of it may take.
    """
    wanted = sorted(set(places))
    if not wanted:
        return {}
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, *wanted],
            cwd=directory,
            env={
                **os.environ,
                **(variables or {}),
                "PYTHONPATH": os.pathsep.join([*path, *filter(None, sys.path)]),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(wanted, Probe(BROKEN, f"importing it takes over {timeout:g} s"))
    try:
        found = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
        return dict.fromkeys(wanted, Probe(BROKEN, lines[-1], done.stderr))
    return {place: Probe(**seen) for place, seen in found.items()}


def look(place: str) -> Probe:
    """Import what is at *place*, in this process."""
    module, colon, name = place.partition(":")
    if not colon:
        module, _, name = place.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        return _described(found)
    except AttributeError as error:
        if not str(error).startswith(f"module {module!r} has no attribute"):
            return _broken(error)
        return Probe(BROKEN, f"the module {module!r} has no {name!r}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        # Whatever the import raises, sys.exit() included, is what has to be told.
        return _broken(error)


def _broken(error: BaseException) -> Probe:
    lines = traceback.format_exception_only(error)
    text = " ".join("".join(lines[-1:]).split())
    if isinstance(error, SyntaxError):
        text = f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    return Probe(BROKEN, text, _own_traceback(error))


def _own_traceback(error: BaseException) -> str:
    """Return the traceback from where this module and the import machinery are left."""
    trace = error.__traceback__
    while trace is not None and (
        trace.tb_frame.f_code.co_filename in (__file__, importlib.__file__)
        or trace.tb_frame.f_code.co_filename.startswith("<frozen")
    ):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _described(found: Any) -> Probe:
    from flask import Flask

    from ..declare.declared import describe
    from ..state import State

    if not isinstance(found, Flask):
        application = getattr(found, "application", None)
        if isinstance(found, type) and isinstance(application, str):
            return Probe(SESSION, application=application)
        return Probe(FACTORY if callable(found) and not isinstance(found, type) else OTHER)
    state = found.extensions.get("wamp")
    rules = [rule.rule for rule in found.url_map.iter_rules()]
    kept: dict[str, Any] = {
        "rules": rules,
        "secret_key": strength(found.secret_key),
        "debug": bool(found.debug),
        "hosts": bool(found.config.get("TRUSTED_HOSTS") or found.config.get("SERVER_NAME")),
        "cookie_faults": cookie_faults(found.config) if found.secret_key else [],
    }
    if not isinstance(state, State):
        return Probe(APPLICATION, **kept)
    declared = state.registry.resolved(state.config.uri_prefix)
    return Probe(
        APPLICATION,
        extension=True,
        procedures=[
            (uri, match, procedure.options.policy(), describe(procedure.function))
            for (uri, match), procedure in declared.items()
        ],
        topics=[(each.topic, each.options.match) for each in state.registry.subscriptions],
        **kept,
    )


def strength(key: str | bytes | None) -> str:
    """Tell what a SECRET_KEY is worth, by its length and its letters alone."""
    if not key:
        return MISSING
    return STRONG if len(key) >= KEY_BYTES and len(set(key)) >= KEY_LETTERS else WEAK


def cookie_faults(config: Mapping[str, Any]) -> list[str]:
    """Return what the cookie of a session lacks."""
    faults = [] if config.get("SESSION_COOKIE_SECURE") else ["Secure"]
    faults += [] if config.get("SESSION_COOKIE_HTTPONLY") else ["HttpOnly"]
    lax = str(config.get("SESSION_COOKIE_SAMESITE")).lower() in ("lax", "strict")
    return faults if lax else [*faults, "SameSite"]


def main(places: Sequence[str]) -> None:
    """Print what each of *places* is, as JSON; what the imports print goes to standard error."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    found = {}
    for place in places:
        found[place] = look(place)
        application = found[place].application
        if application and application not in places:
            found[application] = look(application)
    with answer:
        json.dump({place: asdict(seen) for place, seen in found.items()}, answer)
    # Threads that an application has started would keep the process.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
