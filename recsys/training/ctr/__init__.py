"""How click-through models are trained, calibrated and what they have to beat."""
