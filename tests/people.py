"""People with a browser's cookies, who are registered at a node's poll."""

import json
import secrets
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

PASSWORD = "a long enough password"
#: Seconds that an answer may take.
LIMIT = 60.0


class Person:
    """Somebody who is logged in.

    :param url: the poll's page.
    :param name: by default one that nobody has yet.
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url = url
        self.name = name or f"person {secrets.token_hex(8)}"
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.id: int = self.post("auth/register", name=self.name, password=PASSWORD)["id"]

    @property
    def cookie(self) -> str:
        """The cookie that says who it is."""
        (value,) = [each.value for each in self.jar if each.name == "session"]
        assert value is not None
        return value

    def post(self, path: str, **body: object) -> Any:
        """Send JSON, and return what is answered."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with self._opener.open(request, timeout=LIMIT) as response:
            return json.load(response)

    def create(self, question: str, *choices: str) -> Any:
        """Create a poll, and return it."""
        return self.post("polls", question=question, choices=choices)
