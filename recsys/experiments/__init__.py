"""Experiments on people: two ways to serve beside each other, and what their clicks allow to say."""
