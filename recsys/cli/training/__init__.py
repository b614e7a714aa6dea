"""Commands that train, evaluate, tune and ablate."""
