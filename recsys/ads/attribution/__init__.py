"""Which purchases are an ad's: the last touch within a campaign's windows."""
