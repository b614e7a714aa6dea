"""Who may call the service, with which right and how often; no I/O and no clock."""
