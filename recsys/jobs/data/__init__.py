"""Jobs on the data of a shop: import, statistics, compaction, feature rows, the demo data."""
