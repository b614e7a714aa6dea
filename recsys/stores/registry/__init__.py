"""The SQL registry of bundles, runs and studies."""
