"""How good predicted click probabilities are, and how sure that is."""
