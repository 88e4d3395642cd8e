"""Is the endpoint what it was, and what it claims to be: metrics over the sentinel's probes."""
