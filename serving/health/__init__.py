"""What is wrong while the service runs: looked at beside the requests, shown by answers, metrics and log."""
