"""Labels of served ads: which slots were seen, clicked and bought from, by the tokens of events."""
