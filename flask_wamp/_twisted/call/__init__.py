"""Calling and publishing, from threads to the reactor's."""
