"""Real SIGKILLs of real processes over real sockets, and a judge who asks the venue afterwards.

`python -m tests.proof.kills --kills 50 --seed 1`. The simulator and the coordinator run as users
run them, each a process of its own; nothing in here is called by either.
"""
