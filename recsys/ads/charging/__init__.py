"""Which events of ads are charged, which are free, and which are invalid traffic."""
