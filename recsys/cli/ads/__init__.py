"""Commands about ads."""
