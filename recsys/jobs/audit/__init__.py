"""Jobs that compare what was served with what the lake says."""
