"""The warehouse: sessions from the journal, validated, in DuckDB, and the ways to read them.

It imports nothing from the coordinator: a caller with a session to load implements SessionSource.
"""

from warehouse.agreement import Agreement, AskBroker, ask_beforehand, is_loaded, reconcile
from warehouse.details import add_details
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
    WarehouseOlder,
    WarehouseUnreadable,
    WarehouseUnsupported,
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
from warehouse.sweeps import MEASURES, ranked

__all__ = [
    "MEASURES",
    "Agreement",
    "AskBroker",
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
    "WarehouseOlder",
    "WarehouseUnreadable",
    "WarehouseUnsupported",
    "add_details",
    "ask_beforehand",
    "is_loaded",
    "load_session",
    "load_sessions",
    "ranked",
    "reconcile",
]
