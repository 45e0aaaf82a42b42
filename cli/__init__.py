"""The `multi-trader` command: it reads arguments, calls the house, and says what came of it.

Nothing is decided here. A module imports what is heavy (alpaca, pandas, duckdb, the simulator)
inside the command that needs it, so that `--help` and `validate` answer at once.
"""
