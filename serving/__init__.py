"""The HTTP service: a thin BentoML service around a FastAPI application."""
