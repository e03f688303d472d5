"""The presets: this project's own nodes, with the names of another application."""

import json
from typing import Any

import pytest

from flask_wamp.node.preset import Target, configuration, presets, rendered

from ..doubles import ROOT


def test_presets_are_the_files_of_the_project() -> None:
    assert {name: json.loads(file.read_text()) for name, file in presets().items()} == {
        "single": json.loads((ROOT / "crossbar_config/single_node.json").read_text()),
        "guest": json.loads((ROOT / "crossbar_config/guest.json").read_text()),
        "production": json.loads((ROOT / "crossbar_config/production.json").read_text()),
    }


@pytest.mark.parametrize("preset", ["single", "guest", "production"])
def test_preset_names_nothing_of_this_project(preset: str) -> None:
    text = json.dumps(configuration(preset, Target("shop", "application", port=9000, realm="r_1")))
    for name in ("flask_app", "component.", "polls", "summary", "8080", "realm1"):
        assert name not in text
    for name in ("shop:application", "9000", "r_1"):
        assert name in text


def test_preset_answers_under_the_names_that_it_is_given() -> None:
    target = Target("shop", "app", port=8443, hosts=["shop.example", "www.shop.example"])
    router = configuration("production", target)["workers"][0]
    assert router["components"][0]["extra"] == {"application": "shop:app", "hosts": target.hosts}
    web, redirect, _backend = router["transports"]
    origins = web["paths"]["ws"]["options"]["allowed_origins"]
    assert origins[:2] == ["https://shop.example:8443", "https://shop.example:443"]
    assert len(origins) == 8
    assert redirect["paths"]["/"]["extra"] == {"port": 8443}
    plain = configuration("single", Target("shop", "app", hosts=["shop"]))["workers"][0]
    ws = plain["transports"][0]["paths"]["ws"]
    assert ws["options"]["allowed_origins"] == [
        "http://shop:8080", "http://shop:80", "ws://shop:8080", "ws://shop:80"
    ]  # fmt: skip


def test_preset_on_the_port_of_https_has_that_of_http_too() -> None:
    router = configuration("production", Target("shop", "app", port=443))["workers"][0]
    web, redirect, _backend = router["transports"]
    assert (web["endpoint"]["port"], redirect["endpoint"]["port"]) == (443, 80)
    assert redirect["paths"]["/"]["extra"] == {"port": 443}


def test_production_differs_in_what_faces_the_network_alone() -> None:
    single = json.loads((ROOT / "crossbar_config/single_node.json").read_text())
    production = json.loads((ROOT / "crossbar_config/production.json").read_text())
    for config in (single, production):
        router = config["workers"][0]
        web = router["transports"][0]
        del router["options"]["pythonpath"]
        router["options"].pop("env", None)
        router["components"][0].pop("extra", None)
        del web["endpoint"], web["options"], web["paths"]["ws"]["options"]["allowed_origins"]
        router["transports"] = [each for each in router["transports"] if each["id"] != "redirect"]
    assert production == single


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": {}},
        [1, "two", None, True, {"a": []}],
        {"long": "x" * 200, "list": ["y" * 50, "z" * 50, {"deep": ["w" * 100]}]},
        json.loads((ROOT / "crossbar_config/single_node.json").read_text()),
    ],
)
def test_rendered_is_the_same_value_in_lines_that_fit(value: Any) -> None:
    text = rendered(value)
    assert json.loads(text) == value
    long = [line for line in text.splitlines() if len(line) > 120]
    assert all(len(line.split()[-1]) > 90 for line in long)


def test_rendered_keeps_short_values_in_one_line() -> None:
    assert rendered({"a": [1, 2], "b": {"c": None}}) == '{"a": [1, 2], "b": {"c": null}}'
