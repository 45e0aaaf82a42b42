"""Finds what a bank's lanes will say of the next bar, while no bars wait.

A lane's signal turns with the next close from one sign to 0 to the other, at two closes that can be
found beforehand: an RSI's zones and the signs of averages, deviations and momenta are all monotone
in the close. So when a bar comes a comparison decides, and the steps are taken later. Each of the
closes is verified with the step's own arithmetic; where that fails, or a float is not to be
trusted, nothing is said and the steps decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core import bank_layout as b
from coordinator.core.bank_layout import Floats, Ints, Pick, Signs
from coordinator.core.bank_steps import Steps, band_signals, less, reversion_signals

Flags = NDArray[np.bool_]
Holds = Callable[[Ints], Flags]
"""Tells whether a condition holds at closes; lanes are the last axis."""
_NEVER = 1 << 62
_NEAR: Ints = np.arange(-2, 3)[:, None]


class Ahead:
    """What the lanes of `steps`, as they stand, say at the next close.

    Closes are relative to the ticker's first one, as in `Steps`. `floor` and `ceiling` bound, for
    each ticker's row, the closes that the steps can take.
    """

    def __init__(self, steps: Steps, floor: Ints, ceiling: Ints) -> None:
        self._steps, row = steps, steps.layout.row
        self._floor, self._ceiling = floor[row], ceiling[row]
        lanes = len(row)
        self._below, self._above = np.full(lanes, -_NEVER), np.full(lanes, -_NEVER)
        """A lane says `-_turn` below the first, `_turn` above the second, and 0 between them."""
        self._turn: Signs = np.ones(lanes, np.int8)
        self._unsure: Flags = np.zeros(lanes, np.bool_)
        self._look_back()
        with np.errstate(all="ignore"):  # its result fails the verification
            self._momenta()
            self._averages()
            self._deviations()
            self._wilders()
        self._adaptives()
        self._usable = steps.head >= steps.ripe
        self._usable[row[self._unsure]] = False

    def say(self, pick: Pick, closes: Ints, volumes: Ints) -> Signs | None:
        """The signals of the lanes of `pick` at these bars; None if the steps must be taken."""
        if not self._usable[pick.rows].all():
            return None
        lanes, close = pick.lanes, closes.take(pick.places)
        said = less(close, self._below[lanes]) - less(self._above[lanes], close)
        said *= -self._turn[lanes]
        zoned = pick.of(b.WILDERS)
        if self._is_doubtful(close[zoned.mine], zoned.own):
            return None
        part = pick.of(b.ADAPTIVES)
        if len(part.places):
            votes = said[part.mine]
            votes += self._more_votes(part.own, close[part.mine], volumes.take(part.places))
            said[part.mine] = less(1, votes) - less(votes, -1)
        return cast(Signs, said)

    def _look_back(self) -> None:
        """Find what leaves each window with the next bar, and each sum without it."""
        steps, tickers = self._steps, len(self._steps.head)
        edge = steps.head % steps.room * (2 * tickers) + np.arange(tickers)
        rows = [steps.layout.row[steps.layout.span(kinds)] for kinds, _ in b.TAPS]
        rows[-1] = rows[-1] + tickers
        ends = np.concatenate((edge, edge + tickers))[np.concatenate(rows)]
        self._old = steps.flat.take(ends - steps.reach, mode="wrap")
        self._rest = steps.sums - self._old
        self._last = steps.ring[(steps.head - 1) % steps.room, np.arange(tickers)]

    def _tap(self, number: int) -> slice:
        ends = self._steps.layout.tap_ends
        return slice(ends[number], ends[number + 1])

    def _momenta(self) -> None:
        span = self._steps.layout.span(b.MOMENTA)
        first = self._steps.anchor[self._steps.layout.row[span]]
        unit, over, under = self._steps.numbers[b.MOMENTA][1:4]
        then = self._old[self._tap(b.MOMENTUM_TAP)] + first
        self._below[span] = -(-then * under // unit) - first
        self._above[span] = then * over // unit - first

    def _averages(self) -> None:
        span = self._steps.layout.span(b.AVERAGES)
        short, long = self._steps.numbers[b.AVERAGES][:2]
        equal = (
            self._rest[self._tap(b.LONG_TAP)] * short - self._rest[self._tap(b.SHORT_TAP)] * long
        )
        self._below[span] = -(-equal // (long - short))
        self._above[span] = equal // (long - short)

    def _deviations(self) -> None:
        """Find where a squared distance is so many variances: the roots of a quadratic."""
        steps, span = self._steps, self._steps.layout.span(b.DEVIATIONS)
        tap = self._tap(b.DEVIATION_TAP)
        numbers, total, old = steps.numbers[b.DEVIATIONS], self._rest[tap], self._old[tap]
        window, enter, of_enter, leave, of_leave = numbers
        squares, others = steps.squares - old**2, window - 1
        middle = total / others
        spread = np.sqrt(window * (others * squares - total * total).astype(np.float64)) / others
        reverting = len(window[: steps.layout.span(b.REVERSIONS).stop - span.start])

        def says(close: Ints) -> Signs:
            moved = total + close
            distance = window * close - moved
            variance = window * (squares + close * close) - moved * moved
            signals = [
                reversion_signals(
                    distance[..., :reverting], variance[..., :reverting], numbers[:, :reverting]
                ),
                band_signals(
                    distance[..., reverting:], variance[..., reverting:], numbers[:, reverting:]
                ),
            ]
            return np.concatenate(signals, axis=-1)

        upper, of_upper = leave.copy(), of_leave.copy()
        upper[reverting:], of_upper[reverting:] = enter[reverting:], of_enter[reverting:]
        side = np.where(np.arange(len(window)) < reverting, -1, 1)
        long = middle - _away(spread, enter, of_enter * others - enter)
        flat = middle + side * _away(spread, upper, of_upper * others - upper)
        self._turn[span] = -1
        self._below[span] = self._verified(span, long, lambda close: says(close) < 1)
        self._above[span] = self._verified(span, flat, lambda close: says(close) < 0) - 1

    def _wilders(self) -> None:
        """Find at which closes an RSI passes each of its four bounds (`Steps.bounds`)."""
        steps, span = self._steps, self._steps.layout.span(b.WILDERS)
        row = steps.layout.row[span]
        last, nano, rest = self._last[row], steps.nano[row], steps.period - 1
        gain, loss = steps.wilder * rest
        cuts = []
        for passed, bound in enumerate(steps.bounds):

            def passes(close: Ints, bound: Floats = bound, passed: int = passed) -> Flags:
                exact = ((close - last) * nano).astype(np.float64)
                up = np.maximum(exact, 0.0)
                gains, losses = (gain + up) / steps.period, (loss + (up - exact)) / steps.period
                rsi = gains / (gains + losses) * 100.0
                stays = 2 * (1 - steps.zone) > passed
                return cast(Flags, np.where(close == last, stays, rsi > bound))

            rise = bound * loss / (100.0 - bound) - gain
            fall = gain * (100.0 - bound) / bound - loss
            moves = np.where(rise >= 0, rise, -fall)
            moves = np.where(bound >= 100.0, np.inf, np.where(bound <= 0.0, -np.inf, moves))
            cuts.append(self._verified(span, last + moves / nano, passes))
        self._cuts: Ints = np.array(cuts)
        self._doubtful = bool((self._cuts[::2] < self._cuts[1::2]).any())
        rsis = steps.layout.span(b.RSIS)
        own = slice(rsis.start - span.start, rsis.stop - span.start)
        self._turn[rsis] = -1
        self._below[rsis], self._above[rsis] = self._cuts[0, own], self._cuts[3, own] - 1

    def _adaptives(self) -> None:
        steps, span = self._steps, self._steps.layout.span(b.ADAPTIVES)
        self._moved_from = self._last[steps.layout.row[span]]
        others = steps.numbers[b.ADAPTIVES][3] - 1
        loud = self._rest[self._tap(b.VOLUME_TAP)] // np.maximum(others, 1) + 1
        self._loud: Ints = np.where(others > 0, loud, _NEVER)

    def _more_votes(self, own: b.Index, close: Ints, volumes: Ints) -> Signs:
        """The votes of RSI and volume."""
        last = self._moved_from[own]
        votes = less(last, close) - less(close, last)
        votes *= volumes >= self._loud[own]
        adaptive = self._cuts[:, : len(self._loud)]
        votes += less(close, adaptive[0, own])
        votes -= less(adaptive[3, own] - 1, close)
        return votes

    def _is_doubtful(self, close: Ints, own: b.Index) -> bool:
        """Whether the close brings an RSI to where its float is not trusted."""
        if not self._doubtful:
            return False
        passed = (close >= self._cuts[:, own]).sum(axis=0)
        return bool((passed & 1).any())

    def _verified(self, span: slice, root: Floats, holds: Holds) -> Ints:
        """The first whole close from which on a condition holds, near a root found with floats.

        Lanes for which there is no such close near the root become unsure.
        """
        least, most = self._floor[span] + 2, self._ceiling[span] - 2
        guess = np.clip(np.nan_to_num(np.floor(root) + 1), least, most).astype(np.int64)
        held = holds(guess + _NEAR)
        known = held[0] & (guess == least) | ~held[-1] & (guess == most) | ~held[0] & held[-1]
        self._unsure[span] |= ~known | (held[1:] < held[:-1]).any(axis=0)
        first = guess - 2 + held.argmax(axis=0)
        return np.where(held[0], -_NEVER, np.where(held[-1], first, _NEVER))


def _away(spread: Floats, square: Ints, other: Ints) -> Floats:
    """`spread` times the root of `square / other`; infinite where that can never be reached."""
    root = np.sqrt(square / np.maximum(other, 1))
    return np.where(other > 0, spread * root, np.inf)
