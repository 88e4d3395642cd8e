"""Channels: one file per way to deliver an alert."""
