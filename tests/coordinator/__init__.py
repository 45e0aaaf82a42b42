"""Tests of the coordinator: configuration, strategies, core and shell."""
