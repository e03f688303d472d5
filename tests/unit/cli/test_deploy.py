"""``flask wamp deploy``, run in a directory of somebody's."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

from ..doubles import ROOT


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project with a node."""
    directory = tmp_path / "My_Shop"
    (directory / ".crossbar").mkdir(parents=True)
    monkeypatch.chdir(directory)
    configure("production")
    return directory


def configure(preset: str) -> None:
    """Give the project a configuration."""
    text = (ROOT / f"crossbar_config/{preset}.json").read_text()
    Path(".crossbar/config.json").write_text(text)


def deploy(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(FlaskGroup(), ["wamp", "deploy", *arguments])


def test_unit_is_written_for_the_project(project: Path) -> None:
    done = deploy("systemd", "--user", "www")
    assert done.exit_code == 0, done.output
    text = Path("my-shop.service").read_text()
    assert f"WorkingDirectory={project}\n" in text
    assert "User=www\n" in text
    assert f"ExecStart={sys.executable} -m flask_wamp.node" in text
    assert "systemctl enable --now my-shop.service" in done.output


def test_container_is_written_for_the_project() -> None:
    done = deploy("container", "--output", "image")
    assert done.exit_code == 0, done.output
    written = sorted(path.name for path in Path("image").iterdir())
    assert written == ["Dockerfile", "Dockerfile.dockerignore", "compose.yaml"]
    assert "EXPOSE 8443 8081" in Path("image/Dockerfile").read_text()
    assert "docker compose up" in done.output


def test_container_needs_a_certificate_where_the_node_has_tls() -> None:
    certificate = "docker compose run --build --rm node python -m flask_wamp.node.certificate"
    done = deploy("container")
    assert f"{certificate} .crossbar --host NAME\n" in done.output
    configure("single_node")
    assert certificate not in deploy("container", "--force").output


def test_nothing_is_written_over() -> None:
    Path("compose.yaml").write_text("mine")
    done = deploy("container")
    assert done.exit_code == 1
    assert "compose.yaml: there already; --force writes over it" in done.output
    assert not Path("Dockerfile").exists()
    assert Path("compose.yaml").read_text() == "mine"
    assert deploy("container", "--force").exit_code == 0
    assert Path("compose.yaml").read_text() != "mine"


def test_link_is_replaced_and_what_it_leads_to_left_alone() -> None:
    for target in (Path("elsewhere"), Path("nowhere")):
        Path("compose.yaml").unlink(missing_ok=True)
        Path("compose.yaml").symlink_to(target)
        Path("elsewhere").write_text("another's")
        assert deploy("container").exit_code == 1
        assert deploy("container", "--force").exit_code == 0
        assert "services:" in Path("compose.yaml").read_text()
        assert not Path("compose.yaml").is_symlink()
    assert Path("elsewhere").read_text() == "another's"
    assert not Path("nowhere").exists()


def test_terminal_gets_the_file_alone() -> None:
    done = deploy("systemd", "-o", "-")
    assert done.output.startswith("# A node as a service of systemd.")
    assert done.output.endswith("WantedBy=multi-user.target\n")
    assert not list(Path().glob("*.service"))


def test_container_that_nobody_could_reach_is_said_to_be_one() -> None:
    configure("single_node")
    done = deploy("container")
    assert done.exit_code == 0
    assert "--preset production" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "My Shop"], "no name of a service or user"),
        (["--config", "nowhere.json"], "flask wamp init writes one"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], message: str) -> None:
    done = deploy("systemd", *arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_configuration_that_is_none_is_told() -> None:
    Path(".crossbar/config.json").write_text(json.dumps({"workers": 3}))
    done = deploy("systemd")
    assert done.exit_code == 1
    assert "flask wamp check" in done.output
