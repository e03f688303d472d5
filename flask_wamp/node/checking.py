"""Everything that ``flask wamp check`` looks at, in one list of findings."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from .command import NodeError, crossbar_command
from .configuration import directory_of
from .layout import Layout, guest_application
from .probe import Probe, probe
from .rules import (
    applications,
    exposure,
    logins,
    places,
    rights,
    supervision,
    transports,
    workers,
)
from .rules.finding import ERROR, Finding, Rule

#: The rules by name.
RULES: Final[dict[str, Rule]] = {
    name: rule
    for module in (workers, supervision, transports, logins, rights, applications, exposure, places)
    for name, rule in module.RULES.table.items()
}
#: Seconds that Crossbar.io's own check may take.
TIMEOUT = 60.0


def read(path: Path) -> dict[str, Any]:
    """Return the configuration in a file.

    :raises NodeError: there is none; the text has the remedy.
    """
    if not path.exists():
        raise NodeError(f"there is no {path} here: flask wamp init writes one")
    try:
        config = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise NodeError(f"{path} is no node configuration: {error}") from None
    if not isinstance(config, dict):
        raise NodeError(f"{path} is no node configuration: it is no JSON object")
    return config


def check(path: Path) -> list[Finding]:
    """Return what is wrong, or likely to be, with the node of the configuration at *path*.

    :raises NodeError: there is no configuration, or no Crossbar.io.
    """
    config = read(path)
    crossbar_command()
    layout = Layout(config, directory_of(path).absolute())
    # Two processes, each with seconds of imports.
    with ThreadPoolExecutor(1) as threads:
        refused = threads.submit(crossbar_findings, path)
        found = look(replace(layout, probes=probes_of(layout)))
        return refused.result() + found


def look(layout: Layout) -> list[Finding]:
    """Return what the rules find in a node."""
    return [finding for rule in RULES.values() for finding in rule.findings(layout)]


def probes_of(layout: Layout) -> dict[str, Probe]:
    """Import what a node names, and return what that showed."""
    components = [component for _worker, component in layout.components("router", "container")]
    named = {application for _place, application in layout.hosted()}
    named |= {component.text("classname") for component in components}
    named |= {component.part("extra").text("application") for component in components}
    named |= {guest_application(worker) for worker in layout.workers("guest")}
    whole = {
        place
        for place in named
        if re.fullmatch(r"[\w.]+[:.]\w+", place)
        # The extension's own classes are bound to an application by the configuration.
        and not place.startswith("flask_wamp.crossbar.")
    }
    return probe(
        whole,
        path=layout.python_path(),
        directory=layout.directory,
        variables=layout.variables(),
    )


def crossbar_findings(path: Path) -> list[Finding]:
    """Return what Crossbar.io's own check says."""
    command = [sys.executable, "-m", "flask_wamp._twisted.engine.controller", "check",
               "--cbdir", str(directory_of(path).absolute()), "--config", str(path.resolve())]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        said = f"crossbar check takes over {TIMEOUT:g} s"
    else:
        if done.returncode == 0:
            return []
        lines = (done.stdout + done.stderr).strip()
        said = " ".join(lines.partition("Error: ")[2].split()) or lines[-500:]
    remedy = "write what it asks for; its documentation has each part of a configuration"
    return [Finding("crossbar", ERROR, str(path), f"Crossbar.io refuses it: {said}", remedy)]
