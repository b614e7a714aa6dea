"""The mapping file: what the columns of a shop mean."""
