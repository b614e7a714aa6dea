"""`recsys demo`: the demo shop from nothing to served recommendations, searches and ads."""
