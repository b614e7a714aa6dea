"""The event stream on Redis or Kafka, and the state of its workers."""
