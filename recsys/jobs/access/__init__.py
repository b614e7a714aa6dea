"""Access keys of the service: made, listed, revoked and rotated."""
