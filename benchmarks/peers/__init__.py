"""Other engines on the same work, each in its own environment: `make bench-peers`."""
