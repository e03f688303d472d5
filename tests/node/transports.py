"""Every transport that a router can have, with the certificates of those that use TLS."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port
from tests.certificates import Authority

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/howto/transports.md").read_text()
BLOCKS: dict[str, str] = dict(
    re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
HOSTS = ("localhost", "127.0.0.1")
ELSEWHERE = "elsewhere.example"


class Transports:
    """The transports that a node has beside those of its configuration; all give the backend's rights.

    :param directory: where certificates and sockets are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        authority, stranger = Authority("the tests"), Authority("somebody else")
        self.ca = authority.write(directory / "ca.pem")
        self.other_ca = stranger.write(directory / "other_ca.pem")
        self.client = authority.issue("client").write(directory / "client.pem", key=True)
        self.stranger = stranger.issue("client").write(directory / "stranger.pem", key=True)
        self._server = authority.issue("server", hosts=HOSTS).write(
            directory / "server.pem", key=True
        )
        self._elsewhere = authority.issue("elsewhere", hosts=[ELSEWHERE]).write(
            directory / "elsewhere.pem", key=True
        )
        self._expired = authority.issue("expired", hosts=HOSTS, expired=True).write(
            directory / "expired.pem", key=True
        )
        self.urls: dict[str, str] = {}
        self.configs: list[dict[str, Any]] = []
        mutual = {"ca_certificates": [str(self.ca)]}
        self._add("ws", self._tcp())
        self._add("rs", self._tcp())
        self._add("rs json", self._tcp(), serializers=["json"])
        self._add("ws json", self._tcp(), serializers=["json"])
        self._add("wss", self._tls(self._server))
        self._add("rss", self._tls(self._server))
        self._add("wss client", self._tls(self._server, mutual))
        self._add("rss client", self._tls(self._server, mutual))
        self._add("wss elsewhere", self._tls(self._elsewhere))
        self._add("rss elsewhere", self._tls(self._elsewhere))
        self._add("wss expired", self._tls(self._expired))
        self._add_page()
        self._add("unix", self._unix("raw.sock"))
        self._add("ws+unix", self._unix("web.sock"))

    def add_to(self, node: CrossbarNode) -> None:
        """Let *node*, which has yet to start, have them as well."""
        node._config["workers"][0]["transports"] += self.configs

    def _add(self, name: str, endpoint: Mapping[str, Any], **options: Any) -> None:
        scheme = name.partition(" ")[0]
        kind = "websocket" if scheme.startswith("ws") else "rawsocket"
        number = len(self.configs)
        self.configs.append({
            "type": kind,
            "id": f"transport{number}",
            "endpoint": dict(endpoint),
            "serializers": ["cbor", "msgpack", "json"],
            "auth": {"anonymous": {"type": "static", "role": "backend"}},
            **options,
        })  # fmt: skip
        where = endpoint.get("path") or f"//127.0.0.1:{endpoint['port']}"
        self.urls[name] = f"{scheme}:{where}"

    def _add_page(self) -> None:
        """Add the transport of the how-to, with the certificates that it makes."""
        self.page = self.directory / "page"
        self.page.mkdir()
        if shutil.which("openssl") is None:
            return
        subprocess.run(
            ["bash", "-c", BLOCKS["certificates"]], cwd=self.page, check=True, capture_output=True
        )
        config = json.loads(BLOCKS["transport"])
        endpoint = config["endpoint"]
        endpoint.update(port=free_port(), interface="127.0.0.1")
        tls = endpoint["tls"]
        tls.update({key: str(self.page / tls[key]) for key in ("certificate", "key")})
        tls["ca_certificates"] = [str(self.page / name) for name in tls["ca_certificates"]]
        self.configs.append({"id": "page", **config})
        self.urls["page"] = f"rss://127.0.0.1:{endpoint['port']}"

    def _tcp(self) -> dict[str, Any]:
        return {"type": "tcp", "interface": "127.0.0.1", "port": free_port()}

    def _tls(self, server: Path, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        files = {"key": str(server), "certificate": str(server)}
        return {**self._tcp(), "tls": {**files, **(more or {})}}

    def _unix(self, name: str) -> dict[str, Any]:
        return {"type": "unix", "path": str(self.directory / name)}
