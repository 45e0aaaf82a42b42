"""The locations that a warehouse may have: a file, or a DuckDB connection string.

Files are tested. `md:` (MotherDuck) is passed to DuckDB unchanged. Every other kind of location is
refused before anything is opened, since DuckDB would fetch an extension only to fail later.
"""

from __future__ import annotations

import re

from warehouse.errors import WarehouseUnsupported

_SCHEME = re.compile(r"([A-Za-z_][A-Za-z0-9_]+):")
_KNOWN = ("md", "motherduck")
_WHY = {
    "ducklake": "DuckLake keeps no primary keys, and the warehouse's tables have them",
    **dict.fromkeys(
        ("http", "https", "s3", "gcs", "r2", "az", "hf"),
        "a file behind an address can be read and not written",
    ),
    **dict.fromkeys(
        ("postgres", "postgresql", "mysql", "sqlite"),
        "another database has neither DuckDB's decimals of 38 digits nor its macros",
    ),
}


def is_file(location: str) -> bool:
    """Whether the location is a path, not a connection string ("md:books", ":memory:")."""
    return location != ":memory:" and _SCHEME.match(location) is None


def refuse_unsupported(location: str) -> None:
    """Raises WarehouseUnsupported unless the location is of a kind that can hold a warehouse."""
    scheme = _SCHEME.match(location)
    if scheme is None or scheme[1].lower() in _KNOWN:
        return
    name = scheme[1].lower()
    raise WarehouseUnsupported(
        f"The warehouse cannot lie at {name}: {_WHY.get(name, 'no such kind of place is known')}. "
        "Name a file in MULTI_TRADER_WAREHOUSE, or md:<database> for MotherDuck; `multi-trader "
        "export` writes Parquet that other programs read. Nothing was opened."
    )
