"""What follows the registry and the catalog while the service runs."""
