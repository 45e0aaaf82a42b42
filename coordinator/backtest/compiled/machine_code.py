"""Functions over arrays as machine code by numba, for callers with enough work to repay its start.

Modules that use this are imported only then. Machine code is cached beside its module, and is
checked against that file only: so a compiled function calls none of another file. Numbers of other
files are compiled in: whoever changes one of them empties `__pycache__`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])
_BARE: Mapping[str, Any] = {"_nrt": False}
"""Without reference counting, by an undocumented option of numba."""


def compiled(function: F) -> F:
    """The function as machine code; integers have 64 bits, and overflow silently."""
    return cast(F, njit(cache=True, nogil=True)(function))


def bare(function: F) -> F:
    """The function as machine code without reference counting, which would cost more than its work
    at a bar; it must not make arrays.
    """
    return cast(F, njit(cache=True, nogil=True, **_BARE)(function))


def part(function: F) -> F:
    """A bare function that is inlined into its callers, because it is called for each bar."""
    return cast(F, njit(nogil=True, forceinline=True, **_BARE)(function))
