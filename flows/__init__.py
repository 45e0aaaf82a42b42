"""The flows that Prefect runs: one file per flow, each read as a sentence; the steps are in tasks.

Importing this package imports no Prefect, so that flows.server can set its environment first.
"""
