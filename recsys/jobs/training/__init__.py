"""Jobs that train, evaluate, tune and ablate."""
