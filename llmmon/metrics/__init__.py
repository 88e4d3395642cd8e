"""Metrics: one file per reduction of one window."""
