"""Fixtures of the oracle's own tests."""

from tests.oracle.recorded import recorded_data

__all__ = ["recorded_data"]
