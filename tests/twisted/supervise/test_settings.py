"""Settings of supervisors and of their children: what is taken, and what is refused how."""

import subprocess
import sys
from typing import Any

import pytest

from flask_wamp._twisted.supervise.settings import ChildSettings, Settings, wrong_in
from flask_wamp.errors import ConfigError


def test_without_settings_a_process_serves_by_itself() -> None:
    settings = Settings.from_extra({"application": "flask_app.wsgi:app", "cbdir": "/somewhere"})
    assert settings == Settings()
    assert (settings.processes, settings.unresponsive, settings.grace) == (0, 1.0, 10.0)
    assert (settings.start_limit, settings.watchdog, settings.view_limit) == (30.0, 10.0, None)


def test_given_settings_are_taken() -> None:
    given = {"processes": 4, "view_limit": 2.5, "max_calls": 1000, "preload": True}
    settings = Settings.from_extra({**given, "url": "unix:router.sock"})
    assert settings == Settings(4, "unix:router.sock", 2.5, max_calls=1000, preload=True)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("processes", -1, "0 to 64"),
        ("processes", 65, "0 to 64"),
        ("processes", True, "0 to 64"),
        ("processes", "2", "0 to 64"),
        ("processes", 1.5, "0 to 64"),
        ("url", "router", "unix:router.sock"),
        ("url", 1, "unix:router.sock"),
        ("url", "http://localhost:8080/ws", "ws://HOST:PORT"),
        ("url", "unix:router.sock,rs://localhost", "ws://HOST:PORT"),
        ("view_limit", 0, "leave it out"),
        ("view_limit", float("nan"), "leave it out"),
        ("unresponsive", 0.25, "0.5 or more"),
        ("unresponsive", "1", "0.5 or more"),
        ("max_calls", -1, "0 for never"),
        ("max_calls", 0.5, "0 for never"),
        ("grace", -1, "as in 10"),
        ("grace", float("inf"), "as in 10"),
        ("start_limit", 0, "1 or more"),
        ("watchdog", -1, "0 for none"),
        ("preload", 1, "true or false"),
    ],
)
def test_wrong_value_is_refused_in_one_line(key: str, value: Any, remedy: str) -> None:
    assert [wrong for wrong, _text in wrong_in({key: value})] == [key]
    with pytest.raises(ConfigError, match=remedy) as raised:
        Settings.from_extra({key: value})
    assert key in str(raised.value)
    assert "\n" not in str(raised.value)


def test_child_reads_what_its_supervisor_has_written() -> None:
    settings = ChildSettings(
        "flask_app.wsgi:app", "unix:/tmp/router.sock", "realm1", 3, 7, shared=True, threads=4
    )
    assert ChildSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"application": 1}',
        '{"application": "a:b", "slot": "1"}',
        '{"application": "a:b", "shared": 1}',
        '{"application": "a:b", "threads": 0}',
        '{"application": "a:b", "unknown": true}',
    ],
)
def test_child_refuses_other_settings(text: str) -> None:
    with pytest.raises(ConfigError, match="serving process"):
        ChildSettings.from_json(text)


def test_settings_need_no_twisted() -> None:
    """``flask wamp check`` reads them as well."""
    program = (
        "import sys, flask_wamp._twisted.supervise.settings\n"
        "assert not {'twisted', 'autobahn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
