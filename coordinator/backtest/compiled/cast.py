"""Who plays: the strategies of a backtest as arrays, the same for all its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.compiled.layout import Limits, Table, Whole
from coordinator.backtest.compiled.scale import Scale, TooLarge
from coordinator.core.engine import tickers_of
from coordinator.core.lanes import Rule, StrategySpec
from coordinator.core.values import exactly
from coordinator.strategies.compiled import Rows
from coordinator.strategies.recipes import NUMBERS, recipe_of

_LARGEST = 1 << 40


class Cast:
    """The strategies, their seats (one a ticker), and the rules that speak on the tickers.

    `rules` are distinct; a row is a rule on a ticker, and `rows` has the numbers of those that
    machine code knows: `known` are their places, `others` the rest.

    Raises TooLarge for a limit that 64 bits are too few for.
    """

    @exactly
    def __init__(self, specs: Sequence[StrategySpec], scale: Scale) -> None:
        self.specs = specs
        self.tickers = tickers_of(specs)
        place = {ticker: number for number, ticker in enumerate(self.tickers)}
        counts = [len(spec.tickers) for spec in specs]
        self.of = np.concatenate(([0], np.cumsum(counts)))
        self.seat_strategy = np.repeat(np.arange(len(specs)), counts)
        self.seat_ticker = np.array([place[t] for spec in specs for t in spec.tickers])
        self.initial = np.array([scale.steps(spec.initial_cash) for spec in specs])
        self.warmup = np.repeat([spec.min_warmup_bars for spec in specs], counts)
        self.limits = _limits(specs, scale)
        self._meet_rules(place)

    def _meet_rules(self, place: dict[str, int]) -> None:
        """Number the rows, and find how much history each ticker needs."""
        rules: dict[Rule, int] = {}
        found: dict[tuple[int, int], int] = {}
        history: list[int] = []
        needs = [0] * len(place)
        seat_row = []
        self.row_spec: list[StrategySpec] = []
        for spec in self.specs:
            rule = rules.setdefault(spec.rule, len(rules))
            if rule == len(history):
                history.append(spec.history_bars)
            longest = max(history[rule], spec.min_warmup_bars)
            for ticker in spec.tickers:
                at = place[ticker]
                needs[at] = max(needs[at], longest)
                row = found.setdefault((rule, at), len(found))
                if row == len(self.row_spec):
                    self.row_spec.append(spec)
                seat_row.append(row)
        self.needs, self.seat_row = needs, np.array(seat_row)
        self.row_ticker = np.array([at for _, at in found])
        self.rows, self.known, self.others = _numbers(list(rules), history, list(found))


def _numbers(
    rules: Sequence[Rule], history: Sequence[int], rows: Sequence[tuple[int, int]]
) -> tuple[Rows, Whole, list[int]]:
    recipes = [recipe_of(rule) for rule in rules]
    known = [row for row, (rule, _) in enumerate(rows) if recipes[rule] is not None]
    others = [row for row, (rule, _) in enumerate(rows) if recipes[rule] is None]
    kinds, numbers, bounds = [], [], []
    for row in known:
        recipe = recipes[rows[row][0]]
        assert recipe is not None, "a known row has a recipe"
        kinds.append(int(recipe.kind))
        numbers.append(recipe.numbers + (0,) * (NUMBERS - len(recipe.numbers)))
        bounds.append(recipe.bounds)
    told = Rows(
        np.array(kinds, np.int64),
        np.array(numbers, np.int64).reshape(-1, NUMBERS),
        np.array(bounds, float).reshape(-1, 2),
        np.array([rows[row][1] for row in known], np.int64),
        np.array([history[rows[row][0]] for row in known], np.int64),
    )
    return told, np.array(known, np.int64), others


def _limits(specs: Sequence[StrategySpec], scale: Scale) -> Limits:
    limits = [spec.limits for spec in specs]
    return Limits(
        _ratios([one.max_position_size for one in limits]),
        _counts([one.max_daily_trades for one in limits]),
        _counts(
            [
                None if one.max_daily_loss is None else scale.reached(one.max_daily_loss)
                for one in limits
            ]
        ),
        _ratios([one.stop_loss_pct for one in limits]),
        _ratios([one.take_profit_pct for one in limits]),
    )


def _ratios(values: Sequence[Decimal | None]) -> Table:
    known: dict[Decimal | None, tuple[int, int]] = {None: (-1, -1)}
    for value in values:
        if value is not None and value not in known:
            numerator, denominator = Fraction(value).as_integer_ratio()
            if max(abs(numerator), denominator) >= _LARGEST:
                raise TooLarge(f"a limit of {value}")
            known[value] = numerator, denominator
    return np.array([known[value] for value in values], np.int64)


def _counts(values: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array([-1 if value is None else value for value in values], np.int64)
