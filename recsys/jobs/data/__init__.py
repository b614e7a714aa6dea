"""Jobs on the data of a shop: import, statistics, the demo data."""
