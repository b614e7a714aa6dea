"""One door per vendor; a vendor's exception is translated at its door."""
