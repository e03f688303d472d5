"""One node for each mistake that ``flask wamp check`` knows, and nodes that have none."""

import copy
import json
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node.checking import RULES, look
from flask_wamp.node.layout import Layout
from flask_wamp.node.preset import Target, configuration, presets
from flask_wamp.node.probe import APPLICATION, BROKEN, FACTORY, OTHER, SESSION, Probe
from flask_wamp.node.rules.finding import Finding

from ...doubles import ROOT

Config = dict[str, Any]
Change = Callable[[Config], object]

GOOD = Probe(
    APPLICATION,
    extension=True,
    procedures=[("com.shop.price", "exact", "single", "shop.app.price (shop/app.py:7)")],
    rules=["/", "/price/<article>", "/static/<path:filename>"],
)
PROBES = {"shop.app:app": GOOD, "other:app": GOOD}


def config(preset: str = "single") -> Config:
    """Return what init writes."""
    return configuration(preset, Target("shop.app", "app"))


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a node's directory, whose path is short enough for a socket in it."""
    made = Path(tempfile.mkdtemp(prefix="rules-"))
    (made / ".crossbar").mkdir()
    yield made / ".crossbar"
    shutil.rmtree(made)


def findings(
    changed: Config, directory: Path, probes: dict[str, Probe] | None = None
) -> list[Finding]:
    """Return what the rules find, but for the port, which a test must not depend on."""
    layout = Layout(changed, directory, PROBES if probes is None else probes)
    return [finding for finding in look(layout) if finding.rule != "port-taken"]


# --- parts of a configuration


def router(c: Config) -> Config:
    """Return the router."""
    found: Config = c["workers"][0]
    return found


def views(c: Config) -> Config:
    """Return the worker that serves."""
    found: Config = c["workers"][1]
    return found


def web(c: Config) -> Config:
    """Return the web transport."""
    found: Config = router(c)["transports"][0]
    return found


def ws(c: Config) -> Config:
    """Return the WebSocket path."""
    found: Config = web(c)["paths"]["ws"]
    return found


def strangers(c: Config) -> Config:
    """Return the role of strangers."""
    found: Config = router(c)["realms"][0]["roles"][0]
    return found


def permissions(c: Config) -> list[Config]:
    """Return those of strangers, which stand in the configuration from now on."""
    found: list[Config] = strangers(c)["permissions"]
    if not found:
        # A node without an application in its router; this one's is looked for elsewhere.
        found += [
            {"uri": uri, "match": "prefix", "allow": dict.fromkeys(allowed, True), "cache": False}
            for uri, allowed in (("", ()), ("com.shop.", ("call", "subscribe")))
        ]
    return found


def grant(uri: str, *actions: str, match: str = "prefix", cache: bool = False) -> Change:
    """Grant strangers something in addition."""
    allow = dict.fromkeys(actions, True)
    return lambda c: permissions(c).append(
        {"uri": uri, "match": match, "allow": allow, "cache": cache}
    )


def second_container(c: Config) -> None:
    """Serve the application twice."""
    again = copy.deepcopy(views(c))
    again["id"] = "again"
    c["workers"].append(again)


#: The name of a rule → changes of which each breaks it, and it alone.
MISTAKES: dict[str, list[Change]] = {
    "parallel-start": [
        lambda c: c.update(controller={"options": {"enable_parallel_worker_start": True}})
    ],
    "router-first": [lambda c: c["workers"].reverse()],
    "identifiers": [
        lambda c: views(c).update(id="v"),
        lambda c: views(c).update(id="Views"),
        lambda c: views(c).update(id="router"),
        lambda c: web(c).update(id="the-web"),
    ],
    "dead-workers-stay-dead": [
        lambda c: c.update(controller={"options": {"shutdown": ["shutdown_on_shutdown_requested"]}})
    ],
    "container-outlives-components": [lambda c: views(c)["options"].pop("shutdown")],
    "restart": [
        lambda c: views(c)["options"].update(restart="restart-always"),
        lambda c: views(c)["options"].update(restart="restart-on-failed"),
    ],
    "watch": [lambda c: views(c)["options"].update(watch={"directories": [".."]})],
    "ignored-options": [
        lambda c: router(c)["options"].update(expose_controller=True),
        lambda c: router(c)["options"].update(reload_modules=True),
    ],
    "no-python-path": [
        lambda c: views(c)["options"].pop("pythonpath"),
        lambda c: router(c)["options"].pop("pythonpath"),
    ],
    "unknown-realm": [lambda c: views(c)["components"][0].update(realm="realm2")],
    "unknown-role": [
        lambda c: router(c)["components"][0].update(role="backstage"),
        lambda c: ws(c).update(auth={"anonymous": {"type": "static", "role": "guest"}}),
    ],
    "supervision-settings": [
        lambda c: views(c)["components"][0]["extra"].update(processes=100),
        lambda c: views(c)["components"][0]["extra"].update(view_limit="1 s"),
        lambda c: router(c)["components"][0]["extra"].update(watchdog=-1),
        lambda c: views(c)["components"][0]["extra"].update(url="http://localhost:8080/ws"),
    ],
    "misspelled-settings": [
        lambda c: views(c)["components"][0]["extra"].update(proceses=2),
        lambda c: views(c)["components"][0]["extra"].update(max_call=1000),
        lambda c: router(c)["components"][0]["extra"].update(end_unserved_afer=30),
        lambda c: router(c)["components"][0]["extra"].update(host=["shop.example"]),
        lambda c: router(c)["components"][0]["extra"].update(maxbody=1024),
    ],
    "settings-without-effect": [
        lambda c: views(c)["components"][0]["extra"].update(processes=0, view_limit=3),
        lambda c: router(c)["components"][0]["extra"].update(processes=2),
        lambda c: router(c)["components"][0]["extra"].update(max_calls=1000),
    ],
    "processes-without-a-router": [
        lambda c: (
            views(c)["components"][0]["extra"].update(processes=2),
            views(c)["components"][0]["transport"].update(
                endpoint={"type": "tcp", "host": "127.0.0.1", "port": 8080}
            ),
        )
    ],
    "no-meta-api": [lambda c: router(c)["realms"][0].update(options={"enable_meta_api": False})],
    "any-site-as-its-user": [
        lambda c: (
            ws(c)["options"].update(allowed_origins=["*"]),
            ws(c).update(auth={"anonymous": {"type": "dynamic", "authenticator": "com.x"}}),
        ),
        lambda c: (
            ws(c)["options"].pop("allowed_origins"),
            ws(c).update(auth={"cookie": {}}),
        ),
    ],
    "any-site": [
        lambda c: (
            ws(c)["options"].pop("allowed_origins"),
            ws(c).update(auth={"anonymous": {"type": "static", "role": "anonymous"}}),
        ),
        lambda c: (
            ws(c)["options"].update(allowed_origins=["http://localhost:8080", "*"]),
            ws(c).update(auth={"anonymous": {"type": "static", "role": "anonymous"}}),
        ),
    ],
    "origin-without-port": [
        lambda c: ws(c)["options"]["allowed_origins"].append("https://example.com"),
        lambda c: ws(c)["options"]["allowed_origins"].append("example.com:443"),
    ],
    "null-origin": [
        lambda c: ws(c)["options"].pop("allow_null_origin"),
        lambda c: ws(c)["options"].update(allow_null_origin=True),
    ],
    "message-limit": [
        lambda c: ws(c)["options"].pop("max_message_size"),
        lambda c: router(c)["transports"].append(
            {
                "type": "rawsocket",
                "endpoint": {"type": "tcp", "port": 1},
                "auth": {"ticket": {"type": "static"}},
            }
        ),
    ],
    "peers-that-vanish": [lambda c: ws(c)["options"].pop("auto_ping_interval")],
    "idle-clients": [lambda c: web(c).pop("options")],
    "longpoll": [lambda c: web(c)["paths"].update(lp={"type": "longpoll"})],
    "wsgi-in-a-proxy": [
        lambda c: c["workers"].append(
            {
                "type": "proxy",
                "id": "proxy",
                "transports": [
                    {**web(c), "paths": {"/": {"type": "wsgi", "module": "other", "object": "app"}}}
                ],
            }
        )
    ],
    "path-keys": [lambda c: web(c)["paths"].update({"a/b": {"type": "json", "value": {}}})],
    "path-shadows-routes": [
        lambda c: web(c)["paths"].update(static={"type": "static", "directory": ".."}),
        lambda c: web(c)["paths"].update(price={"type": "json", "value": {}}),
    ],
    "authenticator-role": [
        lambda c: ws(c).update(
            auth={"ticket": {"type": "dynamic", "authenticator-role": "authenticator"}}
        )
    ],
    "nobody-answers-logins": [
        lambda c: ws(c)["auth"]["anonymous"].pop("authenticator-role"),
        lambda c: ws(c)["auth"]["ticket"].pop("authenticator-realm"),
        lambda c: router(c)["components"].clear(),
    ],
    "logins-without-the-application": [
        lambda c: ws(c).update(auth={"anonymous": {"type": "static", "role": "anonymous"}}),
        lambda c: ws(c).update(auth={"anonymous": {}}),
        lambda c: ws(c).pop("auth"),
    ],
    "nobody-listens": [
        lambda c: views(c)["components"][0]["transport"]["endpoint"].update(path="other.sock")
    ],
    "strangers-register": [
        grant("com.shop.a.", "register"),
        lambda c: ws(c).update(auth={"anonymous": {"type": "static", "role": "backend"}}),
    ],
    "strangers-kill": [grant("", "call"), grant("wamp.session.", "call")],
    "strangers-subscribe-to-all": [
        grant("", "subscribe"),
        grant("wamp.", "subscribe"),
        grant("wamp.session.on_join", "subscribe", match="exact"),
    ],
    "right-to-a-namesake": [
        grant("com.shop", "call"),
        grant("com.shop.topic", "subscribe", match="exact"),
    ],
    "rights-are-cached": [grant("com.shop.a.", "call", cache=True)],
    "denials-are-cached": [lambda c: permissions(c).pop(0)],
    "rights-in-the-configuration": [permissions],
    "nobody-governs": [lambda c: router(c)["components"].clear()],
    "connection-limit": [lambda c: web(c).pop("max_connections")],
    "plain-to-everybody": [
        lambda c: web(c)["endpoint"].pop("interface"),
        lambda c: web(c)["endpoint"].update(interface="192.0.2.7"),
    ],
    "any-host-name": [
        lambda c: router(c)["components"][0]["extra"].update(hosts=["shop.example", "*"])
    ],
    "origins-of-other-pages": [
        lambda c: web(c)["endpoint"].update(port=9000),
        lambda c: web(c)["endpoint"].update(tls={}),
    ],
    "readable-key": [
        lambda c: (
            web(c)["endpoint"].update(tls={"key": "config.json"}),
            ws(c)["options"].update(allowed_origins=["https://shop.example:443"]),
        )
    ],
    "shown-tracebacks": [lambda c: web(c)["options"].update(display_tracebacks=True)],
    "another-application": [
        lambda c: router(c)["components"][0].update(extra={"application": "other:app"})
    ],
    "views-cannot-call": [lambda c: router(c)["components"].clear()],
    "nobody-serves": [lambda c: c["workers"].pop(1)],
    "served-twice": [second_container],
    "socket-path": [
        lambda c: router(c)["transports"].append(
            {"type": "rawsocket", "endpoint": {"type": "unix", "path": "x" * 108}}
        )
    ],
    "missing-files": [
        lambda c: web(c)["endpoint"].update(tls={"certificate": "a.crt", "key": "config.json"}),
        lambda c: web(c)["endpoint"].update(tls={"ca_certificates": ["a.crt"]}),
        lambda c: web(c)["paths"].update(files={"type": "static", "directory": "files"}),
        lambda c: views(c)["options"]["pythonpath"].append("../lib"),
    ],
}
#: Other rules that see the same mistake from another side.
ALSO = {
    "any-site": {"logins-without-the-application"},
    "nobody-answers-logins": {"views-cannot-call", "nobody-serves", "nobody-governs"},
    "unknown-role": {"logins-without-the-application"},
    "views-cannot-call": {"nobody-serves", "nobody-governs", "nobody-answers-logins"},
    "another-application": {"views-cannot-call", "nobody-answers-logins"},
    "nobody-governs": {"views-cannot-call", "nobody-answers-logins"},
    **{
        rule: {"rights-in-the-configuration"}
        for rule in ("strangers-kill", "right-to-a-namesake", "rights-are-cached")
    },
    "denials-are-cached": {"rights-in-the-configuration"},
    "strangers-subscribe-to-all": {"right-to-a-namesake", "rights-in-the-configuration"},
    "strangers-register": {
        "strangers-kill",
        "strangers-subscribe-to-all",
        "rights-in-the-configuration",
        "logins-without-the-application",
    },
    "wsgi-in-a-proxy": {"views-cannot-call", "nobody-serves"},
    "plain-to-everybody": {"no-host-names"},
    "missing-files": {"origins-of-other-pages", "readable-key"},
    "message-limit": {"connection-limit", "plain-to-everybody"},
}
CASES = [(rule, number) for rule, cases in MISTAKES.items() for number in range(len(cases))]


@pytest.mark.parametrize(("rule", "number"), CASES)
def test_rule_finds_its_mistake(rule: str, number: int, directory: Path) -> None:
    changed = config()
    (directory / "config.json").touch()
    MISTAKES[rule][number](changed)
    found = findings(changed, directory)
    assert rule in {finding.rule for finding in found}
    assert {finding.rule for finding in found} <= {rule} | ALSO.get(rule, set())
    for finding in found:
        assert finding.severity == RULES[finding.rule].severity
        assert finding.where
        assert finding.text
        assert finding.remedy


GUEST_MISTAKES: list[tuple[str, Change]] = [
    ("guest-without-python-path", lambda c: views(c)["options"].pop("env")),
    ("watch", lambda c: views(c)["options"].update(watch={"action": "restart"})),
    ("missing-executable", lambda c: views(c).update(executable="no-such-program")),
    ("missing-files", lambda c: views(c)["options"].update(workdir="elsewhere")),
    ("nobody-serves", lambda c: views(c)["arguments"].__setitem__(3, "other:app")),
]


@pytest.mark.parametrize(("rule", "change"), GUEST_MISTAKES)
def test_rule_finds_a_mistake_of_a_guest(rule: str, change: Change, directory: Path) -> None:
    changed = config("guest")
    change(changed)
    found = {finding.rule for finding in findings(changed, directory)}
    assert rule in found
    assert found <= {rule, "missing-executable"}


@pytest.mark.parametrize(
    ("rule", "probe", "text"),
    [
        ("import-fails", Probe(BROKEN, "ModuleNotFoundError: no x"), "no x"),
        ("wsgi-is-a-factory", Probe(FACTORY), "shop.app:app is a factory"),
        ("no-application", Probe(OTHER), "no Flask application"),
        ("no-application", Probe(SESSION), "no Flask application"),
        ("no-application", Probe(APPLICATION), "no WAMP extension"),
    ],
)
def test_rule_finds_what_an_import_showed(
    rule: str, probe: Probe, text: str, directory: Path
) -> None:
    (finding,) = findings(config(), directory, {"shop.app:app": probe})
    assert (finding.rule, finding.severity) == (rule, "error")
    assert text in finding.text


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ("no-secret-key", {"secret_key": "missing"}),
        ("weak-secret-key", {"secret_key": "weak"}),
        ("debug-for-everybody", {"debug": True}),
        ("cookies-for-anybody", {"cookie_faults": ["Secure"]}),
    ],
)
def test_rule_finds_what_an_application_lets_everybody_have(
    rule: str, seen: dict[str, Any], directory: Path
) -> None:
    for name in ("server.crt", "server.key"):
        (directory / name).touch(0o600)
    probes = {"shop.app:app": replace(GOOD, **seen)}
    (finding,) = findings(config("production"), directory, probes)
    assert finding.rule == rule
    # What this machine alone reaches may be so: a tutorial's key is "dev".
    assert findings(config(), directory, probes) == []


def test_rule_finds_that_a_node_answers_under_no_name(directory: Path) -> None:
    for name in ("server.crt", "server.key"):
        (directory / name).touch(0o600)
    nameless = config("production")
    router(nameless)["components"][0]["extra"].pop("hosts")
    (finding,) = findings(nameless, directory)
    assert finding.rule == "no-host-names"
    probes = {"shop.app:app": replace(GOOD, hosts=True)}
    assert findings(nameless, directory, probes) == []


def test_origins_of_a_proxy_fit(directory: Path) -> None:
    """It is in front, with another port, and TLS."""
    behind = config()
    ws(behind)["options"]["allowed_origins"] = ["https://shop.example:443"]
    assert findings(behind, directory) == []


def test_factory_is_told_what_to_write(directory: Path) -> None:
    (finding,) = findings(config(), directory, {"shop.app:app": Probe(FACTORY)})
    assert "wsgi.py: from shop.app import app; app = app()" in finding.remedy


def test_shared_registration_may_be_served_twice(directory: Path) -> None:
    changed = config()
    second_container(changed)
    shared = Probe(APPLICATION, extension=True, procedures=[("x.y", "exact", "roundrobin", "f")])
    assert findings(changed, directory, {"shop.app:app": shared}) == []


def test_component_may_have_a_host_of_its_own(directory: Path) -> None:
    changed = config()
    views(changed)["components"][0]["extra"].update(host="mail.example")
    (directory / "config.json").touch()
    assert findings(changed, directory) == []


def test_taken_port_is_found(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        changed = config()
        web(changed)["endpoint"]["port"] = taken.getsockname()[1]
        found = {finding.rule: finding for finding in look(Layout(changed, directory, PROBES))}
    assert "Address already in use" in found["port-taken"].text


def test_directory_that_is_not_there_is_found(directory: Path) -> None:
    found = findings(config(), directory / "elsewhere")
    assert "directory" in {finding.rule for finding in found}


def test_every_rule_has_a_mistake_here() -> None:
    tested = {*MISTAKES, *(rule for rule, _change in GUEST_MISTAKES)}
    others = {"no-host-names", "weak-secret-key", "no-secret-key", "debug-for-everybody"}
    others |= {"cookies-for-anybody"}
    others |= {"import-fails", "wsgi-is-a-factory", "no-application", "port-taken", "directory"}
    # A node that runs is for the tests that start one.
    assert tested | others | {"node-runs"} == set(RULES)


@pytest.mark.parametrize("preset", list(presets()))
def test_what_init_writes_has_no_mistake(preset: str, directory: Path) -> None:
    for name in ("server.crt", "server.key"):
        (directory / name).touch(0o600)
    assert findings(config(preset), directory) == []


@pytest.mark.parametrize("name", ["single_node.json", "guest.json"])
def test_project_has_no_mistake(name: str) -> None:
    whole = json.loads((ROOT / "crossbar_config" / name).read_text())
    served = Probe(APPLICATION, extension=True, procedures=GOOD.procedures, rules=["/polls"])
    probes = {
        "flask_app.wsgi:app": served,
        "component.Web": Probe(SESSION, application="flask_app.wsgi:app"),
        "component.Views": Probe(SESSION, application="flask_app.wsgi:app"),
        "component.Summary": Probe(SESSION, application="component.summary:app"),
    }
    assert findings(whole, ROOT / ".crossbar", probes) == []


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"workers": None},
        {"workers": [None, 1, {"type": 1}]},
        {
            "workers": [
                {"type": "router", "realms": [1], "transports": [{"type": "web", "paths": 1}]}
            ]
        },
        {"controller": [], "workers": [{"type": "container", "options": [], "components": "x"}]},
        {"workers": [{"type": "router", "transports": [{"type": "web", "paths": {"ws": None}}]}]},
    ],
)
def test_rules_survive_what_is_no_configuration(broken: Config, directory: Path) -> None:
    """Crossbar.io's own check names these."""
    Layout(broken, directory).python_path()
    assert isinstance(findings(broken, directory), list)
