"""How relevant an item is to a query, and the order that this gives."""
