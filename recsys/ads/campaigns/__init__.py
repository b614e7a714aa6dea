"""Who advertises what, when, to whom and for how much: accounts, campaigns and their lines."""
