"""Functions over arrays as machine code by numba, for callers with enough work to repay its start.

Modules that use this are imported only then. Machine code is cached beside its module. numba checks
it against that file only, so a compiled function calls none of another file, and what it takes from
`SHARED` files, such as numbers and the order of a tuple's fields, is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

from coordinator.backtest.compiled import layout
from coordinator.core import lane_form

SHARED = (layout.__file__, lane_form.__file__)
"""Files whose constants and tuples are compiled into functions of others."""

F = TypeVar("F", bound=Callable[..., Any])
_BARE: Mapping[str, Any] = {"_nrt": False}
"""Without reference counting, by an undocumented option of numba."""
_DIGEST = sha256(b"".join(Path(file).read_bytes() for file in SHARED)).hexdigest()


def compiled(function: F) -> F:
    """The function as machine code; integers have 64 bits, and overflow silently."""
    return _cached(function)


def bare(function: F) -> F:
    """The function as machine code without reference counting, which would cost more than its work
    at a bar; it must not make arrays.
    """
    return _cached(function, **_BARE)


def part(function: F) -> F:
    """A bare function that is inlined into its callers, because it is called for each bar."""
    return cast(F, njit(nogil=True, forceinline=True, **_BARE)(function))


def _cached(function: F, **options: Any) -> F:
    """Have code compiled again once a shared file has changed, as numba does for its own file."""
    dispatcher = njit(cache=True, nogil=True, **options)(function)
    index = dispatcher._cache._cache_file
    index._source_stamp = (index._source_stamp, _DIGEST)
    return cast(F, dispatcher)
