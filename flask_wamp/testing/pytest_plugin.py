"""Fixtures for tests against a real Crossbar.io node.

``crossbar_node`` is the node of ``.crossbar/config.json``, or of the file that the ini option
``crossbar_config`` names, started once for the test session, in a directory and on a port of its
own, with the environment of the test process. For further nodes, use :class:`flask_wamp.node.CrossbarNode` as a context manager.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
    from ..node import CrossbarNode

    config = pytestconfig.rootpath / pytestconfig.getini("crossbar_config")
    with CrossbarNode(config) as node:
        yield node
