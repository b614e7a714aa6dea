"""What a monitoring system needs of us: a dashboard and alert rules, made from the list of metrics."""
