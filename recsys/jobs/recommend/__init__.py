"""What is recommended, asked without the HTTP service; the service opens its bundle by the same code."""
