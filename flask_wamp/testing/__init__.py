"""What tests of applications use: the test client, what it records, and fixtures for pytest."""

from ..memory.caller import Caller as Caller
from ..memory.client import WampTestClient as WampTestClient
from ..memory.records import Call as Call
from ..memory.records import Publication as Publication
from ..memory.stubs import NotStubbed as NotStubbed
