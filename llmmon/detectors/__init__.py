"""Detectors: one file per rule that turns a stream into evidence."""
