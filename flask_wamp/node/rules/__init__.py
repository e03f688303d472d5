"""What ``flask wamp check`` looks for: one small function for each mistake."""
