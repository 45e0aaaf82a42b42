"""Sessions of thousands of strategies in machine code, for orders that fill in their own minute.

The rules are `instant.py`'s, on whole numbers: `cast.py` says who plays, `bar_arrays.py` on which
bars, `judging.py` what their rules say; `kernel.py` plays, `standing.py` is what goes on to the
next session, `tables.py` reads it out, and `player.py` has them do it.
"""
