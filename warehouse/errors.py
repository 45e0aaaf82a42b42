"""The warehouse's errors: whose fault it is, is the type.

Every message says what happened, where, and what to do next. None of them loses data: the journal
keeps every session, and `multi-trader end-of-day` can always be repeated.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Anything that the warehouse refuses or cannot do; the message is fit for the user."""


class WarehouseMissing(WarehouseError):
    """There is no warehouse at the location that was to be read."""


class WarehouseLocked(WarehouseError):
    """Another process held the file until the deadline passed; nothing was changed."""


class WarehouseNewer(WarehouseError):
    """The file was written by a newer program; nothing was changed."""


class WarehouseOlder(WarehouseError):
    """The file's schema is an older program's, and reading changes nothing; a load migrates it."""


class WarehouseUnsupported(WarehouseError):
    """The location is of a kind that cannot hold a warehouse; nothing was opened."""


class WarehouseUnreadable(WarehouseError):
    """The file is corrupt, is no DuckDB file, or may not be opened; nothing was changed."""


class QueryRefused(WarehouseError):
    """The statement would do more than read, or is not one statement."""


class QueryFailed(WarehouseError):
    """The statement is wrong: unknown column, bad syntax, and the like."""


class NothingToCompare(WarehouseError):
    """A strategy that nobody has heard of, or two without a day in common."""


class ExportRefused(WarehouseError):
    """The folder holds something that is no export; nothing was written."""


class SourceRefused(WarehouseError):
    """What the journal handed over is not a session's rows at all, so nothing was loaded."""


class LoadFault(WarehouseError):
    """The warehouse does not hold what was loaded: a bug of ours; the transaction was undone."""
