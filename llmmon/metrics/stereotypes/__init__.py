"""Stereotype probes: one file per data set, which reads it, asks a model and reduces what the model preferred."""
