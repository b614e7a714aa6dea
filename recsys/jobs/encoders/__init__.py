"""Jobs on encoders: loading them, and the data that fine-tunes them."""
