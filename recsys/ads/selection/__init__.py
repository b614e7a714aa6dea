"""Which ads a request gets: from all campaigns to the slots that were won, held and priced."""
