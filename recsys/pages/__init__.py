"""Pages of the shop: organic and sponsored items in one list, and ads for pages that are made elsewhere."""
