"""Benchmarks: each module prints its figures with their medians; no test asserts a time."""
