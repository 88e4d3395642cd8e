"""Sources: one file per way to read request logs."""
