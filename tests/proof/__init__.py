"""Proof: the production session in a world of virtual time, seeded faults and an own broker.

Nothing here shares code with the simulator, and the judge shares none with the ledger.
"""
