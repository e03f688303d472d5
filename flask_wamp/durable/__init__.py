"""Events that go out once their database transaction has committed: the outbox, and its relay."""

from .schema import add_tables as add_tables
