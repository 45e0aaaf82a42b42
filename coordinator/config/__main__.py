"""Writes the JSON Schema of the configuration, and prints its path."""

from __future__ import annotations

from coordinator.config.schema import write_schema

print(write_schema())
