"""The corpus: single messages with one thing changed, and what each must be read as."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.core.risk import Asset
from tests.corpus.bar_cases import bar_cases
from tests.corpus.kinds import COINS, KINDS, Case, D, Raw
from tests.corpus.order_cases import order_cases, update_cases
from tests.corpus.rest_cases import day_and_asset_cases, rest_cases
from tests.corpus.values import NO_OBJECTS


def corpus() -> Iterator[Case]:
    """Every hand-written case."""
    for kind in KINDS.values():
        yield kind.same("as it should be", kind.good)
        yield kind.same("with something new in it", kind.good | {"new_in_2027": {"a": ["b"]}})
        for what, raw in NO_OBJECTS:
            yield kind.refused(f"{what} in its place", raw)
        yield kind.refused("an empty object", {}) if kind is not COINS else _bare_coin({})
    yield from bar_cases()
    yield from order_cases()
    yield from update_cases()
    yield from rest_cases()
    yield from day_and_asset_cases()


def _bare_coin(raw: Raw) -> Case:
    """An asset of which nothing is said is tradable, in the smallest steps there are."""
    least = Asset.crypto("BTC/USD", increment=D("1e-9"), min_qty=D("1e-9"))
    return Case("asset", "an empty object", raw, least)
