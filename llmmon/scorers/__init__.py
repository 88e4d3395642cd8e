"""Scorers: one file per judgement of one response."""
