"""The page about observing: its application, and that it names every metric and no other."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from flask_wamp.call.options import Options
from flask_wamp.observe import readiness
from flask_wamp.state import state_of

from .tables import ROOT, files_of, rows_of

PAGE = (ROOT / "docs/howto/observing.md").read_text()
#: What is added to the name of a metric, by its type.
SUFFIXES = {"counter": "_total"}
OF_HISTOGRAMS = ("_bucket", "_sum", "_count")


class Router:
    """A link to a router where nobody has registered anything."""

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Answer the question for all registrations."""
        assert uri == "wamp.registration.list"
        return {"exact": []}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Return the page's application, with an outbox."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(files_of("howto/observing.md")["app.py"], names)  # noqa: S102
    app: Flask = names["app"]
    state_of(app).slot.attach(Router())  # type: ignore[arg-type]
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        names["wamp"].outbox(lambda: connection)
        yield app


def exposed(app: Flask) -> dict[str, tuple[str, set[str]]]:
    """Return what is shown: the type of each metric, and its labels where it has a sample."""
    text = app.test_client().get("/metrics").text
    return {
        family.name + SUFFIXES.get(family.type, ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in text_string_to_metric_families(text)
        # When a counter was made, which the library adds in a process that counts alone.
        if family.name.startswith("flask_wamp_") and not family.name.endswith("_created")
    }


def test_observing_application_says_what_the_page_says(app: Flask) -> None:
    http = app.test_client()
    assert http.get("/healthz").status_code == 200
    answer = http.get("/readyz")
    [shown] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert (answer.status_code, answer.json) == (503, json.loads(shown))


def test_observing_page_names_every_metric_and_its_labels(app: Flask) -> None:
    rows = {name.strip("`"): labels for name, _text, labels in rows_of("howto/observing.md")}
    rows.pop("metric", None)
    found = exposed(app)
    assert rows.keys() == found.keys()
    for name, (_type, labels) in found.items():
        assert not labels or labels == set(re.findall(r"`(\w+)`", rows[name])), name


def test_observing_alerts_ask_for_metrics_that_are_there(app: Flask) -> None:
    found = exposed(app)
    there = set(found)
    for name, (kind, _labels) in found.items():
        if kind == "histogram":
            there |= {name + suffix for suffix in OF_HISTOGRAMS}
    alerts = PAGE[PAGE.index("## Alerts") :]
    asked = set(re.findall(r"\bflask_wamp_\w+", alerts))
    assert asked
    assert asked <= there


def test_observing_page_says_how_often_the_router_is_asked() -> None:
    assert readiness.KEPT == readiness.LIMIT == 1.0
    assert "once a second" in " ".join(PAGE.split())
