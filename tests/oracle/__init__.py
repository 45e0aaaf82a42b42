"""An oracle: what CONTRACT.md says a session must do, worked out a second time.

Rule: nothing here imports the engine, the simulator or any other part of the product, so that one
misreading cannot agree with itself. Only plain loops over exact integers, fractions and decimals.
"""
