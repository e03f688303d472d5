"""What answers on the port of plain HTTP where the application is behind HTTPS."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.web.resource import Resource

from ..errors import SetupError

HTTPS_PORT = 443
#: Where a certificate authority looks for what proves that this is the host (RFC 8555, 8.3).
CHALLENGES = [b".well-known", b"acme-challenge"]
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: What stands as it is in a path and its query.
AS_IT_IS = "/?&=%+,;:@!$'()*~-._"


class ToHttps(Resource):
    """Sends browsers to the same address by HTTPS, for good.

    In a configuration: ``{"type": "resource", "classname": "flask_wamp.crossbar.ToHttps", "extra": {"port": 443}}``.

    :param extra: ``port``, that of HTTPS, 443 where it is not given; ``challenges``, a directory
        with the files of ACME's HTTP challenge, as in ``/var/www/acme/.well-known/acme-challenge``.
    :raises SetupError: they are of another type.
    """

    isLeaf = True

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        Resource.__init__(self)
        port, challenges = (extra or {}).get("port", HTTPS_PORT), (extra or {}).get("challenges")
        if not isinstance(port, int) or not 0 < port < 65536:
            raise SetupError(f"port has to be that of HTTPS, as in 443, and is {port!r}")
        if challenges is not None and not isinstance(challenges, str):
            raise SetupError(f"challenges has to be a directory, and is {challenges!r}")
        self._port = "" if port == HTTPS_PORT else f":{port}"
        self._challenges = None if challenges is None else Path(challenges)

    def render(self, request: Any) -> bytes:
        """Answer a request, whatever its method."""
        if request.postpath[:2] == CHALLENGES:
            return self._challenge(request)
        host = _without_port(request.getHeader("host") or "")
        target = quote(request.uri.decode("latin-1"), safe=AS_IT_IS)
        if not host or not target.startswith("/"):
            request.setResponseCode(400)
            return b"Use HTTPS.\n"
        # Not 301: a form would come as a GET.
        request.setResponseCode(308)
        request.setHeader(b"Location", f"https://{host}{self._port}{target}".encode())
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return b"Use HTTPS.\n"

    def _challenge(self, request: Any) -> bytes:
        """Return the file of a challenge."""
        token = b"/".join(request.postpath[2:]).decode("latin-1")
        path = self._challenges / token if self._challenges and TOKEN.fullmatch(token) else None
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        if path is None or not path.is_file():
            request.setResponseCode(404)
            return b"There is no such challenge.\n"
        return path.read_bytes()


def _without_port(host: str) -> str:
    """Return a Host header's name or address; empty where it is neither."""
    found = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?", host)
    return found[1] if found else ""
