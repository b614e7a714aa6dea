"""The rules by which events are kept or rejected, for an import and a stream alike."""
