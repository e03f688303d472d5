"""Seeing it: is the process there, is the node ready, and what has it done."""

from .exposition import metrics as metrics
from .health import health as health
