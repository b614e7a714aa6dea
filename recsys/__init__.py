"""A feature-store-centric platform for search, recommendation and ads in e-commerce."""

__version__ = "0.2.0"
DISTRIBUTION = "recsys-platform"  # what pip installs; `recsys` on the public index is another project
