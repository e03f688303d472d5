"""The extension under every server that Flask runs under: ``make test-servers``."""
