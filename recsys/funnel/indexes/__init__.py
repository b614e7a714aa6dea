"""What a catalog is looked up by: texts as codes, attributes, orders of popularity."""
