"""What a session may have missed, asked for: orders, the account, bars.

Rule: whatever was not heard is asked for, and never guessed. Nothing here waits; what the broker
answers comes back to the loop as messages.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.core.books import Books
from coordinator.core.orders import OrderStatus
from coordinator.shell.intake import BarIntake
from coordinator.shell.questions import Questions
from coordinator.shell.watchdog import Watchdog


class GapRepair:
    """What one session asks REST: after a restart, a lost connection, or garbage."""

    def __init__(
        self, books: Books, questions: Questions, watchdog: Watchdog, intake: BarIntake
    ) -> None:
        self._books, self._questions = books, questions
        self._watchdog, self._intake = watchdog, intake

    def ask_for_orders(self) -> None:
        """Ask what became of the orders that are open."""
        for order in self._books.orders.open():
            if order.status is not OrderStatus.WAITING:
                self._questions.look_up(order.client_order_id)

    def ask_for_account(self) -> None:
        """Ask what became of the open orders, and soon for the account as a whole."""
        self.ask_for_orders()
        self._watchdog.look_soon()

    def ask_for_bars(self, tickers: Iterable[str] | None = None, *, alone: bool = False) -> None:
        """Ask for the bars of these tickers (None: all) since the last ones seen.

        Those of the streams wait for the answer; with `alone` only these tickers' do.
        """
        if starts := self._intake.open_gap(tickers, alone=alone):
            self._questions.fetch_bars(starts)

    def ask_for_all(self) -> None:
        """A stream was away: ask for whatever it may not have brought."""
        self.ask_for_account()
        self.ask_for_bars()

    def after_a_lost_bar(self) -> None:
        """Something was dropped that may have been a bar, or our clock has slept: ask for both."""
        self._questions.read_clock()
        self.ask_for_bars()

    def after_a_lost_fill(self, much: bool) -> None:
        """Something was dropped that may have been a fill; after `much` of it, ask for all."""
        if much:
            self.ask_for_account()
        else:
            self.ask_for_orders()
