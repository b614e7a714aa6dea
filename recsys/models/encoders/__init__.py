"""Pretrained encoders of text and images."""
