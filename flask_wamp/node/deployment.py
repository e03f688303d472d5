"""Files by which a node runs as a service: a unit of systemd, an image and its composition.

As with the configurations, this project's own files, ``crossbar_config/``, are the template, and another
project's names are put in place of its own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

#: What the template names.
NAME, DIRECTORY, PYTHON = "flask-wamp", "/srv/flask-wamp", "/srv/flask-wamp/.venv/bin/python"
INSTALL = '--constraint constraints.txt ".[node,tls]"'
#: Without a version pip takes 0.1.0, another program, where all later ones are alphas.
PACKAGE = '"flask-wamp[node,tls]>=1.0a1"'
PORTS = ("8443", "8081")
#: The right to listen on a port below 1024.
LOW_PORTS = "CAP_NET_BIND_SERVICE"
#: Below these nobody's service sees anything with ``ProtectHome=yes``.
HOMES = ("/home/", "/root/", "/run/user/")
UNIT, IMAGE, IGNORED, COMPOSITION = (
    "flask-wamp.service", "Dockerfile", "Dockerfile.dockerignore", "compose.yaml",
)  # fmt: skip
FITTING = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True)
class Service:
    """What is to run.

    :ivar name: of the service, the user and the image; as a user's name has to be.
    :ivar user: who runs it.
    :ivar directory: the project's.
    :ivar python: the interpreter of its environment.
    :ivar ports: that it listens on.
    """

    name: str
    user: str
    directory: Path
    python: Path
    ports: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for given in (self.name, self.user):
            if not FITTING.fullmatch(given):
                raise ValueError(
                    f"{given!r} is no name of a service or user: write small letters, digits and "
                    "hyphens, as in shop"
                )
        for path in (self.directory, self.python):
            if (
                not path.is_absolute()
                or not str(path).isprintable()
                or set(str(path)) & set(" %\"'\\$")
            ):
                raise ValueError(
                    f"{str(path)!r} cannot stand in a unit: name an absolute path without blanks and quotes"
                )


def unit(service: Service) -> str:
    """Return a unit of systemd."""
    text = _template(UNIT)
    text = text.replace(PYTHON, str(service.python)).replace(DIRECTORY, str(service.directory))
    text = text.replace(f"User={NAME}", f"User={service.user}")
    text = text.replace(f"Group={NAME}", f"Group={service.user}")
    text = text.replace(f"/etc/{NAME}.env", f"/etc/{service.name}.env")
    text = text.replace(f"node of {NAME}", f"node of {service.name}")
    needed = (service.directory, service.python, service.python.resolve())
    if any(f"{path}/".startswith(HOMES) for path in needed):
        text = text.replace(
            "ProtectHome=yes", "# The project, or its interpreter, is in one.\nProtectHome=no"
        )
    if any(port < 1024 for port in service.ports):
        without = f"# For a port below 1024: {LOW_PORTS}, here and as AmbientCapabilities.\n"
        text = text.replace(
            f"{without}CapabilityBoundingSet=\n",
            f"# For a port below 1024.\nCapabilityBoundingSet={LOW_PORTS}\n"
            f"AmbientCapabilities={LOW_PORTS}\n",
        )
    return text


def container(service: Service) -> Mapping[str, str]:
    """Return an image's files by name: how it is built, what is left out, and how it is run."""
    image, composition = (
        _template(each).replace(NAME, service.name) for each in (IMAGE, COMPOSITION)
    )
    ports = [str(port) for port in service.ports]
    publish = " ".join(f"--publish {port}:{port}" for port in ports)
    image = image.replace(INSTALL, _installed_by(service.directory))
    image = image.replace(f"EXPOSE {' '.join(PORTS)}", f"EXPOSE {' '.join(ports)}")
    image = image.replace(" ".join(f"--publish {port}:{port}" for port in PORTS), publish)
    composition = composition.replace(_published(PORTS), _published(ports))
    return {IMAGE: image, IGNORED: _template(IGNORED), COMPOSITION: composition}


def _published(ports: Iterable[str]) -> str:
    return "".join(f'      - "{port}:{port}"\n' for port in ports)


def _installed_by(directory: Path) -> str:
    """Return what pip is to install: what the project says, and what a node needs."""
    if (directory / "requirements.txt").exists():
        return f"--requirement requirements.txt {PACKAGE}"
    if (directory / "pyproject.toml").exists():
        return f". {PACKAGE}"
    return PACKAGE


def _template(name: str) -> str:
    return (files("flask_wamp.node") / "presets" / name).read_text()
