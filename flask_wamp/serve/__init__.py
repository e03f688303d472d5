"""What answers a call or an event in Flask; it knows nothing of the wire."""
