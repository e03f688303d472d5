"""Everything that touches the reactor; nothing here is imported before the first connection."""
