"""Serving, on the reactor's thread: from a message to a thread of the pool, and back."""
