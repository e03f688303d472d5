"""Tests against a real Crossbar.io node, on free ports of 127.0.0.1."""
