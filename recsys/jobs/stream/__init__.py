"""Jobs on the event stream: run, bootstrap, replay, status, dead letters."""
