"""Variants: one file per way to derive a replay from a logged request."""
