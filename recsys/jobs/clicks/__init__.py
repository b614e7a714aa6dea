"""What clicks teach: labels of a shop, the click model as a predictor, its evaluation, its drift."""
