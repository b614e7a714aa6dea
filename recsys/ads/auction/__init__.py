"""One auction: ads ranked by eCPM, slots, prices."""
