"""A feature-store-centric platform for search, recommendation and ads in e-commerce."""

__version__ = "0.2.0"
