"""Fixtures for tests of an application: in memory, and against a real Crossbar.io node.

``wamp_client`` is a test client of the application that the fixture ``app`` of the tests returns,
as pytest-flask has it.

``crossbar_node`` is the node of ``.crossbar/config.json``, or of the file that the ini option
``crossbar_config`` names, started once for the test session, in a directory and on a port of its
own, with the environment of the test process. For further nodes, use :class:`flask_wamp.node.CrossbarNode` as a context manager.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..memory.client import WampTestClient
    from ..node import CrossbarNode


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option ``crossbar_config``."""
    parser.addini(
        "crossbar_config",
        "the configuration of the crossbar_node fixture, relative to the root directory",
        default=".crossbar/config.json",
    )


@pytest.fixture(scope="session")
def crossbar_node(pytestconfig: pytest.Config) -> Iterator["CrossbarNode"]:
    """Run the project's node for the whole session; see :class:`~flask_wamp.node.CrossbarNode`."""
    config = pytestconfig.rootpath / pytestconfig.getini("crossbar_config")
    if not config.exists():
        pytest.fail(
            f"crossbar_node is the node of {config}, which is not there: flask wamp init writes it, "
            "and the ini option crossbar_config names another",
            pytrace=False,
        )
    from ..node import CrossbarNode

    with CrossbarNode(config) as node:
        yield node


@pytest.fixture
def wamp_client(request: pytest.FixtureRequest) -> Iterator["WampTestClient"]:
    """Call the application of the fixture ``app`` in memory, for the time of a test.

    See :class:`~flask_wamp.testing.WampTestClient`.
    """
    from ..memory.client import WampTestClient

    try:
        app = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise
        pytest.fail(
            "wamp_client needs a fixture 'app' that returns the Flask application: write one in "
            "conftest.py, @pytest.fixture def app(): return create_app()",
            pytrace=False,
        )
    with WampTestClient(app) as client:
        yield client
