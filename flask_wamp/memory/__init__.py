"""An application's router, in memory: what tests call it through, and what it calls through."""
