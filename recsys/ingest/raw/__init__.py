"""Raw batches and their cells, parsed to typed arrays."""
