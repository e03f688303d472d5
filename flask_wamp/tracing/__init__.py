"""What belongs together: an id from the HTTP request through calls to events, spans, log lines."""
