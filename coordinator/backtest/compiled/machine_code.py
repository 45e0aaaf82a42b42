"""Functions over arrays as machine code: numba, where whoever asks has work enough to repay it.

A module that uses this is imported only then. Machine code is kept beside its module between runs,
known by that file alone: a compiled function calls none of another file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])
_BARE: Mapping[str, Any] = {"_nrt": False}
"""Without counts of references, for which numba has an option and no word."""


def compiled(function: F) -> F:
    """The same function as machine code; whole numbers are of 64 bits, and overflow in silence."""
    return cast(F, njit(cache=True, nogil=True)(function))


def bare(function: F) -> F:
    """The same of a function that makes no arrays: references to those that it is given are not
    counted, which would cost more than what it does at a bar.
    """
    return cast(F, njit(cache=True, nogil=True, **_BARE)(function))


def part(function: F) -> F:
    """A bare part of compiled functions, laid into whoever calls it: it is called for each bar."""
    return cast(F, njit(nogil=True, forceinline=True, **_BARE)(function))
