"""One page out of organic and sponsored items: how many, where, and why."""
