"""Planted bugs: the proof must find each of them, or it proves nothing.

A patch here breaks one rule of the product; its first line says what a trader would lose.
`python -m tests.proof.bugs` plants them one at a time in a copy and looks for the first seed of the
simulation that catches it.
"""
