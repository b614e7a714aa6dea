"""What became of ads, in SQL: counts of each process, forecasts, and sums of a campaign."""
