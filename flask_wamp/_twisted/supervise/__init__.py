"""Serving processes, started, watched and replaced by one that serves nothing itself."""
