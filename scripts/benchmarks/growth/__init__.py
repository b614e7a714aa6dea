"""How each stage grows with the shop: measured at three sizes, with the exponent that fits."""
