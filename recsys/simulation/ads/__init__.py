"""A market of ads: shoppers, advertisers, and one policy after the other on the same requests."""
