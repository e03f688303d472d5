"""A connection of the process's own: connecting, logging in, and again after every loss."""

from ..engine.lazy import load_autobahn

load_autobahn()
