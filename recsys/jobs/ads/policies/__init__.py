"""Other policies on what was logged, as a use case: files, the log of served ads, estimates."""
