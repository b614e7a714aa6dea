"""The one definition of each aggregate, sequence and cross feature, used by batch, stream and service."""
