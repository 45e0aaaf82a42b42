"""The simulator proved: rules, books, clock, and the unmodified clients on its socket."""
