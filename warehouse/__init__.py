"""The warehouse: sessions from the journal, validated, in DuckDB, and the ways to read them.

It imports nothing from the coordinator: whoever has a session to load implements SessionSource.
"""

from warehouse.agreement import Agreement, reconcile
from warehouse.errors import (
    ExportRefused,
    LoadFault,
    QueryFailed,
    QueryRefused,
    SourceRefused,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseNewer,
    WarehouseUnreadable,
)
from warehouse.load import (
    LoadResult,
    LoadStatus,
    SessionRows,
    SessionSource,
    load_session,
    load_sessions,
)
from warehouse.store import Store

__all__ = [
    "Agreement",
    "ExportRefused",
    "LoadFault",
    "LoadResult",
    "LoadStatus",
    "QueryFailed",
    "QueryRefused",
    "SessionRows",
    "SessionSource",
    "SourceRefused",
    "Store",
    "WarehouseError",
    "WarehouseLocked",
    "WarehouseMissing",
    "WarehouseNewer",
    "WarehouseUnreadable",
    "load_session",
    "load_sessions",
    "reconcile",
]
