"""Backends: one file per way to run a model."""
