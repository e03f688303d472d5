"""The files by which a node runs as a service, with the names of another project."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flask_wamp.node.deployment import COMPOSITION, IGNORED, IMAGE, Service, container, unit
from flask_wamp.node.foreground import GRACE, REST, stop_limit

from ..doubles import ROOT

SHOP = Service("shop", "www", Path("/opt/shop"), Path("/opt/env/bin/python"), (8443, 8081))


def values(text: str) -> dict[str, str]:
    """Return the settings of a unit; each stands there once."""
    pairs = re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def test_unit_names_the_project() -> None:
    text = unit(SHOP)
    assert "flask-wamp" not in text.partition("[Unit]")[2]
    settings = values(text)
    assert settings["User"] == settings["Group"] == "www"
    assert settings["WorkingDirectory"] == settings["ReadWritePaths"] == "/opt/shop"
    assert settings["EnvironmentFile"] == "-/etc/shop.env"
    assert settings["ExecStart"].startswith("/opt/env/bin/python -m flask_wamp.node ")
    assert settings["ProtectHome"] == "yes"


def test_unit_leaves_a_stop_the_time_that_it_may_take() -> None:
    settings = values(unit(SHOP))
    assert (settings["KillSignal"], settings["KillMode"]) == ("SIGTERM", "mixed")
    assert int(settings["TimeoutStopSec"]) > stop_limit({"workers": []}) == GRACE + REST


def test_unit_is_started_again_for_ever() -> None:
    settings = values(unit(SHOP))
    assert settings["Restart"] == "always"
    assert settings["StartLimitIntervalSec"] == "0"
    assert (settings["Type"], settings["NotifyAccess"]) == ("notify", "all")


def test_unit_of_a_project_in_a_home_sees_it() -> None:
    text = unit(Service("shop", "ann", Path("/home/ann/shop"), Path("/home/ann/env/bin/python")))
    assert values(text)["ProtectHome"] == "no"


def test_unit_sees_an_interpreter_in_a_home(tmp_path: Path) -> None:
    """As tools that bring Pythons along put it there, whose environments link to it."""
    python = tmp_path / "python"
    python.symlink_to("/home/ann/.local/share/python/bin/python3")
    for each in (python, Path("/home/ann/env/bin/python")):
        text = unit(Service("shop", "www", Path("/opt/shop"), each))
        assert values(text)["ProtectHome"] == "no"


def test_unit_for_a_low_port_may_listen_on_it() -> None:
    text = unit(Service("shop", "www", SHOP.directory, SHOP.python, (443, 80)))
    settings = values(text)
    assert settings["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    assert settings["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert values(unit(SHOP))["CapabilityBoundingSet"] == ""


@pytest.mark.parametrize("user", ["www; rm", "", "Ann", "-x", "a" * 40])
def test_name_that_is_none_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="no name of a service or user"):
        Service("shop", user, SHOP.directory, SHOP.python)


@pytest.mark.parametrize("path", ["relative", "/with blank", "/a%n", "/a\nExecStart=/bin/sh"])
def test_path_that_a_unit_cannot_name_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a unit"):
        Service("shop", "www", Path(path), SHOP.python)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("ports", [(8443,), (443, 80)])
def test_systemd_takes_the_unit(tmp_path: Path, ports: tuple[int, ...]) -> None:
    path = tmp_path / "shop.service"
    python = Path(shutil.which("python3") or "/usr/bin/python3")
    path.write_text(unit(Service("shop", "www", Path("/opt/shop"), python, ports)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    # What an older systemd does not know it says, and goes on.
    unknown = re.findall(r"Unknown key '(\w+)'", done.stderr)
    assert set(unknown) <= {"RestartSteps", "RestartMaxDelaySec"}


def test_image_names_the_project_and_is_no_root_s(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    texts = container(Service("shop", "shop", tmp_path, SHOP.python, (443, 80)))
    image = texts[IMAGE]
    assert "flask-wamp" not in image.replace("flask-wamp[", "")
    assert '--requirement requirements.txt "flask-wamp[node,tls]>=1.0a1"' in image
    lines = [line for line in image.splitlines() if not line.startswith(("#", " "))]
    words = [line.partition(" ")[0] for line in lines if line]
    assert set(words) <= {
        "FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD",
    }  # fmt: skip
    assert words.index("USER") < words.index("CMD") == len(words) - 1
    assert "USER shop" in lines
    assert "EXPOSE 443 80" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    composition = texts[COMPOSITION]
    assert '      - "443:443"\n      - "80:80"\n' in composition
    assert "8443" not in composition
    assert "restart: always" in composition


def test_image_installs_what_the_project_says(tmp_path: Path) -> None:
    service = Service("shop", "shop", tmp_path, SHOP.python)
    # The 0.1.0 of 2018 is another program, and what pip takes where a 1.0 is only an alpha.
    assert 'install --no-cache-dir "flask-wamp[node,tls]>=1.0a1"' in container(service)[IMAGE]
    (tmp_path / "pyproject.toml").write_text("")
    assert '--no-cache-dir . "flask-wamp[node,tls]>=1.0a1"' in container(service)[IMAGE]


def test_image_has_no_secrets_and_nothing_of_a_machine() -> None:
    ignored = container(SHOP)[IGNORED].splitlines()
    for pattern in ("**/.env", "**/*.key", "**/.git", ".crossbar/*", "!.crossbar/config.json"):
        assert pattern in ignored


def test_templates_are_the_files_of_this_project() -> None:
    for name in (IMAGE, IGNORED, COMPOSITION, "flask-wamp.service"):
        assert (ROOT / "flask_wamp/node/presets" / name).read_text()
        assert (ROOT / "crossbar_config" / name).exists()


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"workers": [{"components": [{"extra": {"grace": 60}}, {}]}]}, 60 + REST),
        ({"workers": [{"components": [{"extra": {"grace": 1}}]}]}, GRACE + REST),
        ({"workers": [{"components": [{"extra": {"grace": "soon"}}]}]}, GRACE + REST),
        ({"workers": [None]}, GRACE + REST),
        ({}, GRACE + REST),
    ],
)
def test_node_may_take_longer_to_stop_than_any_grace(config: object, seconds: float) -> None:
    assert stop_limit(config) == seconds  # type: ignore[arg-type]
