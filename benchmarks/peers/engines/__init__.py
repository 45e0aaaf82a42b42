"""A script for each engine, as its users would write it; each runs in its own environment."""
