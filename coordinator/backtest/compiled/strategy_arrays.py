"""The strategies of a backtest as arrays, the same for all its sessions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.compiled.columns import Words
from coordinator.backtest.compiled.layout import Limits as LimitArrays
from coordinator.backtest.compiled.layout import Rows, Table, Whole
from coordinator.backtest.compiled.scale import Scale, TooLarge
from coordinator.core.lane import Rule, StrategySpec, tickers_of
from coordinator.core.lane_form import HOLDING, WIDTH, Kind, lane_form_of
from coordinator.core.risk import Limits
from coordinator.core.values import ZERO, exactly
from coordinator.strategies.registry import BUILT_IN

_LARGEST = 1 << 40


class StrategyArrays:
    """The strategies, their seats (one a ticker), and rows: each distinct rule on each ticker.

    `rows` has the parameters of the rows that machine code can judge, whose numbers are `known`;
    `others` are the numbers of the rest.

    Raises TooLarge for a limit that does not fit 64 bits.
    """

    @exactly
    def __init__(self, specs: Sequence[StrategySpec], scale: Scale) -> None:
        self.specs = specs
        self.tickers = tickers_of(specs)
        self.names = Words([spec.name for spec in specs])
        self.symbols = Words(self.tickers)
        place = {ticker: number for number, ticker in enumerate(self.tickers)}
        counts = [len(spec.tickers) for spec in specs]
        self.widest = max(counts)
        self.of = np.concatenate(([0], np.cumsum(counts)))
        self.seat_strategy = np.repeat(np.arange(len(specs)), counts)
        self.seat_ticker = np.array([place[t] for spec in specs for t in spec.tickers])
        amounts = [spec.initial_cash for spec in specs]
        steps = {amount: scale.steps(amount) for amount in set(amounts)}
        self.initial = np.array([steps[amount] for amount in amounts])
        self.capital = sum(amounts, ZERO)
        self.warmup = np.repeat([spec.min_warmup_bars for spec in specs], counts)
        self.limits = _limits([spec.limits for spec in specs], scale)
        self._number_rules(place)

    def _number_rules(self, place: dict[str, int]) -> None:
        """Number the rows, and find how much history each ticker needs."""
        rules: dict[Hashable, int] = {}
        distinct: list[Rule] = []
        found: dict[tuple[int, int], int] = {}
        history: list[int] = []
        needs = [0] * len(place)
        seat_row = []
        self.row_spec: list[StrategySpec] = []
        for spec in self.specs:
            rule = rules.setdefault(_key(spec.rule), len(rules))
            if rule == len(history):
                distinct.append(spec.rule)
                history.append(spec.history_bars)
            longest = max(history[rule], spec.min_warmup_bars)
            for ticker in spec.tickers:
                at = place[ticker]
                needs[at] = max(needs[at], longest)
                row = found.setdefault((rule, at), len(found))
                if row == len(self.row_spec):
                    self.row_spec.append(spec)
                seat_row.append(row)
        self.needs, self.seat_row = np.array(needs), np.array(seat_row)
        self.row_ticker = np.array([at for _, at in found])
        self.rows, self.known, self.others = _numbers(distinct, history, list(found))
        self.ranged = bool(np.isin(self.rows.kind, (Kind.BREAKOUT.value, Kind.VWAP.value)).any())
        """Whether a rule that machine code judges reads highs and lows."""


def _numbers(
    rules: Sequence[Rule], history: Sequence[int], rows: Sequence[tuple[int, int]]
) -> tuple[Rows, Whole, list[int]]:
    forms = [lane_form_of(rule) for rule in rules]
    has_one = np.array([form is not None for form in forms])
    rule_of, ticker_of = np.array(rows).T
    known = np.flatnonzero(has_one[rule_of])
    some = [form or HOLDING for form in forms]
    wholes = [form.whole + (0,) * (WIDTH - len(form.whole)) for form in some]
    mine = rule_of[known]
    known_rows = Rows(
        np.array([form.kind.value for form in some])[mine],
        np.array(wholes)[mine],
        np.array([form.real_bounds for form in some])[mine],
        np.array([form.limits() for form in some])[mine],
        ticker_of[known],
        np.array(history)[mine],
    )
    return known_rows, known, np.flatnonzero(~has_one[rule_of]).tolist()


def _key(rule: Rule) -> Hashable:
    """A key that equal rules share; a built-in rule's parameters are faster to hash than itself."""
    kind = type(rule)
    return (kind, *rule.__dict__.values()) if kind in BUILT_IN else rule


def _limits(each: Sequence[Limits], scale: Scale) -> LimitArrays:
    place: dict[Limits, int] = {}
    which = np.array([place.setdefault(one, len(place)) for one in each])
    losses = [one.max_daily_loss for one in place]
    found = (
        _ratios([one.max_position_size for one in place]),
        _counts([one.max_daily_trades for one in place]),
        _counts([None if loss is None else scale.reached(loss) for loss in losses]),
        _ratios([one.stop_loss_pct for one in place]),
        _ratios([one.take_profit_pct for one in place]),
    )
    return LimitArrays(*(values[which] for values in found))


def _ratios(values: Sequence[Decimal | None]) -> Table:
    found = []
    for value in values:
        numerator, denominator = (-1, -1) if value is None else value.as_integer_ratio()
        if max(abs(numerator), denominator) >= _LARGEST:
            raise TooLarge(f"a limit of {value}")
        found.append((numerator, denominator))
    return np.array(found, np.int64)


def _counts(values: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array([-1 if value is None else value for value in values], np.int64)
