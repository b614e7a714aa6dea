"""How likely items are clicked, asked while serving: features, the predictor, relevance and spread."""
