"""What a node is started with; starting one is for the node tests."""

import copy
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode, NodeError, free_port
from flask_wamp.node.__main__ import main
from flask_wamp.node.command import crossbar_command, path_with_python
from flask_wamp.node.configuration import from_elsewhere, on_port, prepared_config

from ..doubles import ROOT

CONFIG: dict[str, Any] = {
    "version": 2,
    "workers": [
        {
            "type": "router",
            "options": {"pythonpath": ["..", "lib"]},
            "transports": [
                {
                    "type": "web",
                    "endpoint": {"type": "tcp", "port": 8080},
                    "paths": {
                        "/": {"type": "wsgi"},
                        "ws": {
                            "type": "websocket",
                            "options": {
                                "allowed_origins": [
                                    "http://localhost:8080",
                                    "http://localhost:18080",
                                    "https://example.com:443",
                                ]
                            },
                        },
                    },
                },
                {"type": "rawsocket", "endpoint": {"type": "unix", "path": "router.sock"}},
            ],
        },
        {"type": "guest", "options": {"env": {"vars": {"PYTHONPATH": "..", "OTHER": ".."}}}},
        {"type": "container"},
    ],
}


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the current directory, which has a node's configuration, and a short name for sockets."""
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.chdir(name)
        path = Path(name)
        (path / ".crossbar").mkdir()
        (path / ".crossbar/config.json").write_text(json.dumps(CONFIG))
        yield path


def test_node_on_port_moves_the_web_transport_and_its_origins() -> None:
    original = copy.deepcopy(CONFIG)
    moved = on_port(CONFIG, 9000)
    web, raw = moved["workers"][0]["transports"]
    assert web["endpoint"]["port"] == 9000
    assert web["paths"]["ws"]["options"]["allowed_origins"] == [
        "http://localhost:9000",
        "http://localhost:18080",
        "https://example.com:443",
    ]
    assert raw == CONFIG["workers"][0]["transports"][1]
    assert original == CONFIG


def test_node_on_the_same_port_is_the_same() -> None:
    assert on_port(CONFIG, 8080) == CONFIG


def test_node_on_port_needs_one_tcp_transport() -> None:
    with pytest.raises(ValueError, match="has 0 TCP transports, not one"):
        on_port({"workers": [{"type": "router"}]}, 9000)
    two = copy.deepcopy(CONFIG)
    two["workers"][0]["transports"] *= 2
    with pytest.raises(ValueError, match="has 2 TCP transports, not one"):
        on_port(two, 9000)


def test_node_from_elsewhere_keeps_python_paths() -> None:
    original = copy.deepcopy(CONFIG)
    moved = from_elsewhere(CONFIG, Path("/srv/shop/.crossbar"))
    router, guest, container = moved["workers"]
    assert router["options"]["pythonpath"] == ["/srv/shop", "/srv/shop/.crossbar/lib"]
    assert guest["options"]["env"]["vars"] == {"PYTHONPATH": "/srv/shop", "OTHER": ".."}
    assert container == {"type": "container"}
    assert original == CONFIG


@pytest.mark.parametrize(
    "path", sorted([ROOT / ".crossbar/config.json", *(ROOT / "crossbar_config").glob("*.json")])
)
def test_node_configurations_of_the_project_can_be_moved(path: Path) -> None:
    config = json.loads(path.read_text())
    moved = json.dumps(from_elsewhere(on_port(config, 9123), path.parent))
    assert '"port": 9123' in moved
    assert '"port": 8080' not in moved
    assert "localhost:9123" in moved
    assert "localhost:8080" not in moved
    assert str(ROOT.resolve()) in moved


def test_node_free_port_is_given_to_nobody_else() -> None:
    """Who asks for any port is not given one that has to be asked for in a way of its own."""
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", free_port()))
    assert len({free_port() for _ in range(200)}) == 200


def test_node_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listening:
        assert listening.getsockname()[1] > 0


def test_node_prepared_config_is_the_file_itself(directory: Path) -> None:
    path = Path(".crossbar/config.json")
    assert prepared_config(path, None) == path
    assert sorted(p.name for p in (directory / ".crossbar").iterdir()) == ["config.json"]


def test_node_prepared_config_on_the_port_of_the_file(directory: Path) -> None:
    port = free_port()
    path = Path(".crossbar/config.json")
    path.write_text(json.dumps(on_port(CONFIG, port)))
    assert prepared_config(path, port) == path


def test_node_prepared_config_on_another_port_is_a_copy(directory: Path) -> None:
    port = free_port()
    path = Path(".crossbar/config.json")
    prepared = prepared_config(path, port)
    assert prepared == Path(f".crossbar/port-{port}.json")
    assert json.loads(prepared.read_text()) == on_port(CONFIG, port)
    assert json.loads(path.read_text()) == CONFIG


def test_node_prepared_config_on_a_taken_port(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(NodeError, match=f"port {port} cannot be had .*make run PORT=9000"):
            prepared_config(Path(".crossbar/config.json"), port)


def test_node_prepared_config_without_its_certificate(directory: Path) -> None:
    config = on_port(CONFIG, free_port())
    config["workers"][0]["transports"][0]["endpoint"]["tls"] = {
        "certificate": "server.crt",
        "key": "server.key",
    }
    path = Path(".crossbar/config.json")
    path.write_text(json.dumps(config))
    Path(".crossbar/server.crt").touch()
    remedy = re.escape("python -m flask_wamp.node.certificate .crossbar --host NAME")
    with pytest.raises(NodeError, match=rf"\.crossbar/server\.key is not there.* {remedy}"):
        prepared_config(path, None)
    Path(".crossbar/server.key").touch()
    assert prepared_config(path, None) == path


def test_node_prepared_config_where_a_socket_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crossbar.io would say so with three tracebacks."""
    deep = tmp_path / ("deep" * 25)
    (deep / ".crossbar").mkdir(parents=True)
    monkeypatch.chdir(deep)
    path = Path(".crossbar/config.json")
    config = copy.deepcopy(CONFIG)
    path.write_text(json.dumps(config))
    with pytest.raises(
        NodeError, match=r"has \d{3} bytes, and 107 are the limit: .*/router\.sock: move"
    ):
        prepared_config(path, free_port())
    (endpoint,) = [
        transport["endpoint"]
        for transport in config["workers"][0]["transports"]
        if transport["endpoint"]["type"] == "unix"
    ]
    endpoint["path"] = "/run/shop.sock"
    path.write_text(json.dumps(config))
    assert prepared_config(path, free_port()).name.startswith("port-")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_node_prepared_config_on_what_is_no_port(directory: Path, port: int) -> None:
    with pytest.raises(NodeError, match=f"{port} is not a port: give a number from 1 to 65535"):
        prepared_config(Path(".crossbar/config.json"), port)


@pytest.mark.parametrize(
    ("content", "arguments", "text"),
    [
        ("no json", [], "Expecting value"),
        ('{"workers": []}', ["--port", "PORT"], "0 TCP transports"),
        (
            json.dumps(CONFIG),
            ["--config", "missing.json"],
            "no missing.json here: run this in the directory",
        ),
        (json.dumps(CONFIG), ["--port", "70000"], "70000 is not a port"),
    ],
)
def test_node_command_tells_what_is_wrong(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    arguments: list[str],
    text: str,
) -> None:
    Path(".crossbar/config.json").write_text(content)
    port = str(free_port())
    with pytest.raises(SystemExit) as caught:
        main([argument.replace("PORT", port) for argument in arguments])
    assert caught.value.code == 1
    output = capsys.readouterr().err
    assert output.startswith("python -m flask_wamp.node: ")
    assert text in output
    assert output.count("\n") == 1


def test_node_command_becomes_crossbar(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Replaced(BaseException):
        """The process would be another now."""

    became: list[Any] = []

    def execve(command: str, arguments: list[str], environment: dict[str, str]) -> None:
        became.extend((command, arguments, environment))
        raise Replaced

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(Replaced):
        main(["--loglevel", "info"])
    command, arguments, environment = became
    assert command == sys.executable
    assert arguments[1:] == [
        "-m", "flask_wamp._twisted.engine.controller", "start", "--cbdir", ".crossbar", "--config", str(directory / ".crossbar/config.json"),
        "--loglevel", "info",
    ]  # fmt: skip
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_node_without_crossbar_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match=re.escape("pip install 'flask-wamp[node]'")):
        crossbar_command()


def test_node_path_begins_with_the_running_python() -> None:
    beside = str(Path(sys.executable).parent)
    assert path_with_python({"PATH": "/a:/b"}) == f"{beside}:/a:/b"
    assert path_with_python({}) == beside


def test_node_has_a_directory_and_addresses_of_its_own(directory: Path) -> None:
    one, two = CrossbarNode(), CrossbarNode(CONFIG)
    try:
        assert one.port != two.port
        assert one.directory != two.directory
        assert one.url == f"http://127.0.0.1:{one.port}/"
        assert one.ws_url == f"ws://127.0.0.1:{one.port}/ws"
        assert one.backend_url == f"unix:{one.directory}/router.sock"
        assert one.log == ""
        with pytest.raises(NodeError, match="was not started"):
            one.stop()
    finally:
        one.remove()
        two.remove()
    assert not one.directory.exists()
