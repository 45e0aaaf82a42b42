"""Measured, never asserted by time: each module prints its figures with their medians."""
