"""The stages of a training run, in the order in which `recsys.training.pipeline` runs them."""
