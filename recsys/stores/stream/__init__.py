"""Event streams: Redis, Kafka, and the state of the workers."""
