"""Benchmarks: llmmon beside its peers, in one run, as ratios.

One module a benchmark, with ``SUMMARY`` (one line) and ``run(**settings) -> Result``; each setting has a default.
"""
