"""The books of advertising: double entry in whole micros, what a charge is, and the identities they keep."""
