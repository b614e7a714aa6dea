"""What the stream remembers of users: logs of events, long ones in parts, and last queries."""
