"""A Crossbar.io node as a process: started on a free port, ready when it says so, ended for good.

``python -m flask_wamp.node`` starts the node of the current directory; tests use
:class:`CrossbarNode`, or the fixture ``crossbar_node`` of :mod:`flask_wamp.testing.pytest_plugin`.
"""

from .command import NodeError as NodeError
from .configuration import free_port as free_port
from .process import CrossbarNode as CrossbarNode
