"""The networks' answers to one request in numpy, by the weights that torch holds."""
