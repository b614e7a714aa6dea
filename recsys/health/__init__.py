"""Whether the product works: what may be wrong with it, and by which facts that is known."""
