"""The catalogue of faults row by row: what goes wrong, what is then demanded, what proves it.

Rule: a row names tests that would fail if its demand were broken, and says honestly what of it is
not proved, or cannot be had here, and why. Where the issue that ordered this differs from the
catalogue, the demand is the issue's. tests/structure/test_proofs.py holds that each proof exists.
"""

from __future__ import annotations

from tests.catalogue import feeds, machine, orders, people
from tests.catalogue.row import Row

ROWS: dict[int, Row] = {**feeds.ROWS, **orders.ROWS, **machine.ROWS, **people.ROWS}
