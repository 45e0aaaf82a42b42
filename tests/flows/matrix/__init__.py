"""Prefect's failure matrix, run for real: server, worker, run and venue are processes that die.

`python -m tests.flows.matrix [ROW ...]` plays rows and prints what was seen.
"""
