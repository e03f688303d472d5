"""``flask wamp deploy``: the files by which a node runs as a service."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from ..node.checking import read
from ..node.configuration import directory_of, tcp_transports
from ..node.deployment import Service, container, unit
from .place import config_option, there, write

#: What nobody outside reaches.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

output_option = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Where to write; - is the terminal.  [default: the project's directory]",
)
force_option = click.option("--force", is_flag=True, help="Write over files that are there.")
name_option = click.option("--name", help="The service's.  [default: the directory's name]")


@click.group("deploy")
def deploy() -> None:
    """Write the files by which the node runs as a service: of systemd, or in a container."""


@deploy.command("systemd")
@config_option
@name_option
@click.option("--user", help="Who runs it.  [default: the service's name]")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    default=Path(sys.executable),
    help="The interpreter of its environment.  [default: this one]",
)
@output_option
@force_option
def systemd(
    config: Path,
    name: str | None,
    user: str | None,
    python: Path,
    output: Path | None,
    *,
    force: bool,
) -> None:
    """Write a unit of systemd for the node of this directory.

    It is started again whenever it ends, told to stop in a way that loses no accepted call, and
    ready when every procedure is registered.
    """
    service = _service(config, name, user, python)
    path = f"{service.name}.service"
    written = _write({path: unit(service)}, output or service.directory, force=force)
    if written:
        click.echo(
            f"As root, with a user {service.user} who may read {service.directory} and write into "
            f"it:\n\n    cp {written[0]} /etc/systemd/system/\n    systemctl daemon-reload\n"
            f"    systemctl enable --now {path}"
        )


@deploy.command("container")
@config_option
@name_option
@output_option
@force_option
def container_(config: Path, name: str | None, output: Path | None, *, force: bool) -> None:
    """Write a Dockerfile, its .dockerignore, and a compose.yaml for the node of this directory."""
    service = _service(config, name, None, Path(sys.executable))
    endpoints = [each["endpoint"] for each in tcp_transports(read(config))]
    if all(endpoint.get("interface") in LOOPBACK for endpoint in endpoints):
        click.echo(
            "The node listens on this machine alone, which in a container is the container: "
            "write a configuration for others, flask wamp init --preset production --host NAME.",
            err=True,
        )
    if not _write(container(service), output or service.directory, force=force):
        return
    if any("tls" in endpoint for endpoint in endpoints):
        click.echo(
            "It needs a certificate, as compose.yaml says; for trying it out:\n\n"
            "    docker compose run --build --rm node python -m flask_wamp.node.certificate "
            ".crossbar --host NAME\n"
        )
    click.echo("Start it:\n\n    docker compose up --build --detach")


def _service(config: Path, name: str | None, user: str | None, python: Path) -> Service:
    directory = directory_of(config).resolve().parent
    named = name or re.sub(r"[^a-z0-9-]+", "-", directory.name.lower()).strip("-") or "node"
    try:
        ports = tuple(each["endpoint"]["port"] for each in tcp_transports(read(config)))
    except (LookupError, TypeError, AttributeError):
        raise click.ClickException(
            f"{config} is no node configuration: see flask wamp check"
        ) from None
    try:
        return Service(
            name=named,
            user=user or named,
            directory=directory,
            # Not where a link of an environment leads: that one has no packages.
            python=Path(os.path.abspath(python)),  # noqa: PTH100 - resolve() follows links
            ports=ports,
        )
    except ValueError as error:
        raise click.ClickException(f"{error}; see --name and --user") from None


def _write(texts: Mapping[str, str], output: Path, *, force: bool) -> list[Path]:
    """Write files into a directory and return them; or write all to the terminal."""
    if str(output) == "-":
        click.echo("\n".join(texts.values()), nl=False)
        return []
    paths = [output / name for name in texts]
    taken = [str(path) for path in paths if there(path)]
    if taken and not force:
        raise click.ClickException(
            f"{', '.join(taken)}: there already; --force writes over it, --output names another "
            "directory"
        )
    output.mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, texts.values(), strict=True):
        write(path, text)
        click.echo(f"Wrote {path}")
    return paths
