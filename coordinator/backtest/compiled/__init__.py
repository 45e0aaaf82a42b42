"""Sessions of thousands of strategies in machine code, for orders that fill in their own minute.

The rules are those of `instant.py`, on whole numbers. `strategy_arrays.py` and `bar_arrays.py` hold
the strategies and bars, `judging.py` computes signals, `kernel.py` plays, `standing.py` carries
books to the next session, `tables.py` makes the rows, and `player.py` runs them all.
"""
