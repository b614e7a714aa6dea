"""Which campaigns a request is about."""
