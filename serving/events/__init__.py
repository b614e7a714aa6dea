"""What becomes of events that come over HTTP."""
