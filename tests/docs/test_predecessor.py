"""The page for those who come from flask-wamp 0.1: no line is left out, and its tests are there.

The application on it is run by ``tests/node/test_predecessor.py``.
"""

import pytest

from .tables import ROOT, is_there, rows_of

ROWS = rows_of("coming-from-0.1.md")

#: What flask-wamp 0.1.0 and its README give to applications, and their surroundings.
OLD = (
    "from flask_wamp import WAMP",
    "WAMP(app)",
    "init_app(app)",
    "CROSSBAR_URL",
    "REALM",
    "WAMP_REALM",
    "ROUTER_URL",
    'app.extensions["flask_wamp"]',
    "wamp.client",
    "@wamp.callee",
    '@wamp.consume(topic="foo")',
    "foo_eater(message)",
    "g.wampy",
    "g.wampy.rpc.",
    "g.wampy.call(",
    "g.wampy.publish(topic=",
    "WampyError",
    "callee in wampy",
    "caller in wampy",
    "publisher in wampy",
    "subscriber in wampy",
    "callee in nameko-wamp",
    "`Caller` of nameko-wamp",
    "`Publisher` of nameko-wamp",
    "`consume` of nameko-wamp",
)


@pytest.mark.parametrize("line", OLD)
def test_no_line_is_left_out(line: str) -> None:
    assert any(line in old for old, _now, _test in ROWS)


@pytest.mark.parametrize(("old", "test"), [(old, test) for old, _now, test in ROWS])
def test_line_names_a_test_that_is_there(old: str, test: str) -> None:
    assert is_there(test)


@pytest.mark.parametrize("page", ["README.md", "docs/howto/calling.md"])
def test_page_is_found(page: str) -> None:
    assert "coming-from-0.1.md" in (ROOT / page).read_text()
