"""The warehouse's errors; the type tells the cause.

Every message says what happened, where, and what to do next. No error loses data: the journal keeps
every session, and `multi-trader end-of-day` can always be repeated.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Anything that the warehouse refuses or cannot do; the message is for the user."""


class WarehouseMissing(WarehouseError):
    """There is no warehouse at the location that was to be read."""


class WarehouseLocked(WarehouseError):
    """Another process held the file until the deadline passed; nothing was changed."""


class WarehouseNewer(WarehouseError):
    """The file was written by a newer program; nothing was changed."""


class WarehouseOlder(WarehouseError):
    """The file's schema is older than the program, and reading does not migrate; a load does."""


class WarehouseUnsupported(WarehouseError):
    """The location is of a kind that cannot hold a warehouse; nothing was opened."""


class WarehouseUnreadable(WarehouseError):
    """The file is corrupt, is not a DuckDB file, or may not be opened; nothing was changed."""


class QueryRefused(WarehouseError):
    """The statement would do more than read, or is not one statement."""


class QueryFailed(WarehouseError):
    """The statement is wrong: unknown column, bad syntax, and the like."""


class NothingToCompare(WarehouseError):
    """A strategy is unknown, or the two have no day in common."""


class ExportRefused(WarehouseError):
    """The folder holds something that is not an export; nothing was written."""


class SourceRefused(WarehouseError):
    """The source does not give the rows of a session, so nothing was loaded."""


class LoadFault(WarehouseError):
    """The warehouse does not hold the loaded rows: a bug of ours; the transaction was undone."""
