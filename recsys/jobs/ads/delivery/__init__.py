"""What campaigns delivered and what they are to be expected to deliver, as people are told."""
