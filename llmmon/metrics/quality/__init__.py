"""What the scorers found, over a window."""
