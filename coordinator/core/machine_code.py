"""Functions over arrays as machine code: numba, where whoever asks has work enough to repay it.

A module that uses this is imported only then. Machine code is kept beside its module between runs,
known by that file alone: a compiled function calls none of another file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The same function as machine code; whole numbers are of 64 bits, and overflow in silence."""
    return cast(F, njit(cache=True, nogil=True)(function))


def part(function: F) -> F:
    """A part of compiled functions, laid into whoever calls it: it is called for each bar."""
    return cast(F, njit(nogil=True, forceinline=True)(function))
