"""Asks the broker for what a session may have missed: order states, the account, bars.

Rule: what was missed is asked for, and never guessed. Nothing here waits; the broker's answers come
back to the loop as messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from coordinator.core.books import Books
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE
from coordinator.shell.intake import BarIntake
from coordinator.shell.questions import Questions
from coordinator.shell.watchdog import Watchdog

LISTED = timedelta(seconds=10)
"""Broker time after its end by which REST surely lists a bar."""


class GapRepair:
    """The requests of one session after a restart, a lost connection, or garbage on a stream."""

    def __init__(
        self, books: Books, questions: Questions, watchdog: Watchdog, intake: BarIntake
    ) -> None:
        self._books, self._questions = books, questions
        self._watchdog, self._intake = watchdog, intake
        self._in_doubt: datetime | None = None
        """The start of a minute whose bars REST may not have listed yet when it was asked."""

    def ask_for_orders(self) -> None:
        """Look up every open order."""
        for order in self._books.orders.open():
            if order.status is not OrderStatus.WAITING:
                self._questions.look_up(order.client_order_id)

    def ask_for_account(self) -> None:
        """Look up every open order, and soon the account as a whole."""
        self.ask_for_orders()
        self._watchdog.look_soon()

    def ask_for_bars(self, tickers: Iterable[str] | None = None, *, alone: bool = False) -> None:
        """Ask for the bars of these tickers (None: all) since the last ones seen.

        Meanwhile the streams' bars are held back; with `alone` only those of these tickers.
        """
        if starts := self._intake.open_gap(tickers, alone=alone):
            self._questions.fetch_bars(starts)

    def answered(self, now: datetime) -> None:
        """REST has told at `now` which bars there are: perhaps not yet of the last minute."""
        ended = now.replace(second=0, microsecond=0)
        if now - ended < LISTED:
            self._in_doubt = ended - MINUTE

    def ask_again(self, now: datetime) -> None:
        """Ask once more for the bars of a minute that REST may not have listed, and no stream has
        brought: it may have sent them while it was away."""
        minute = self._in_doubt
        if minute is not None and now >= minute + MINUTE + LISTED and not self._intake.repairs:
            self._in_doubt = None
            if lacking := self._intake.lacking(minute):
                self.ask_for_bars(lacking)

    def ask_for_all(self) -> None:
        """Ask for all that a stream may have missed while it was away."""
        self.ask_for_account()
        self.ask_for_bars()

    def after_a_lost_bar(self) -> None:
        """Ask for the time and for bars: a bar may have been dropped, or our clock has slept."""
        self._questions.read_clock()
        self.ask_for_bars()

    def after_a_lost_fill(self, much: bool) -> None:
        """Ask for open orders, and after `much` garbage for all: a fill may have been dropped."""
        if much:
            self.ask_for_account()
        else:
            self.ask_for_orders()
