"""The `multi-trader` command: reads arguments, calls the other packages, and prints the outcome.

Nothing is decided here. Slow imports (alpaca, pandas, duckdb, the simulator) are inside the command
that needs them, so that `--help` and `validate` answer at once.
"""
