"""Files of judgments, items, rankings and clicks, whatever their kind."""
