"""The feature store: Feast offline, the registry, building rows, reading and writing online."""
