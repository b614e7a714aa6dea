"""Sponsored items: who may be shown, where, and for what price. No I/O, no clock; money is whole micros."""
