"""Events in real time: the stream, the aggregation and the worker that keeps features up to date."""
