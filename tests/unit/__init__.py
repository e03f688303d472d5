"""Tests without a reactor."""
