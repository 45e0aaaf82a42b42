"""Whatever happens before and after a strategy moves, its days sum to what its book has won."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.readers import session_sources
from coordinator.shell.watchdog import Depth
from tests.coordinator.test_moving_strategies import COIN, ONE_DAY, Account
from tests.proof.seat import Seat, minute_bars
from tests.proof.truth import NANO, told_bust

STEPS = 14
PRICES = (80, 90, 100, 110, 130)


class Story:
    """X runs A, then Y does, while the broker executes A's order, takes back, splits and tells."""

    def __init__(self, account: Account, seed: int) -> None:
        self.account = account
        self.dice = random.Random(f"moving days {seed}")  # noqa: S311
        self.runs_a, self.others = account.x, list[Seat]()
        self.is_tomorrow = self.has_moved = False
        self.busts = 0
        self.won = Decimal(0)

    def play(self) -> None:
        """Some steps by chance, and then everybody ends."""
        acts = (self.bars, self.bars, self.execute, self.take_back, self.split, self.move)
        for act in self.dice.choices((*acts, self.night), k=STEPS):
            act()
            for seat in (self.runs_a, *self.others):
                seat.poll(self.account.now)
        self.end()

    def bars(self) -> None:
        """A minute with a new price, for everybody."""
        self.account.now += timedelta(minutes=1)
        prices = {COIN: self.dice.choice(PRICES) * NANO}
        self.account.board.clear()
        for seat in (*self.others, self.runs_a):
            seat.take(minute_bars(self.account.now, prices, [COIN]))

    def execute(self) -> None:
        """A part of A's order, which the stream tells of, or a look finds; or nobody yet."""
        if self.account.ticket.left:
            self.account.execute(NANO)
            if self.dice.random() < 0.4:
                self.account.stream(self.runs_a)
            elif self.dice.random() < 0.5:
                self.account.look(self.runs_a)

    def take_back(self) -> None:
        """The newest execution, which A's coordinator has heard of."""
        deal = self.account.newest_deal
        if deal.stands and f"stream-{deal.number}" in self.runs_a.books.posted.executions:
            self.busts += 1
            self.account.bust(deal)
            self.runs_a.take(told_bust(deal, self.busts, self.account.now))

    def split(self) -> None:
        """Two for one, listed to whoever looks first."""
        if not self.account.ticket.left:
            self.account.split()
            seat = self.dice.choice([*self.others, self.runs_a])
            seat.look(Depth.ACTIVITIES)
            seat.take(seat.answers.pop())

    def move(self) -> None:
        """X goes on without A, which Y runs from now on."""
        if self.has_moved:
            return
        if self.account.ticket.left:
            self.account.cancel(self.runs_a)
        assert self.account.reload(self.runs_a, "B").done
        self.others.append(self.runs_a)
        self.runs_a = self.account.start("Y", "AC", tomorrow=self.is_tomorrow)
        self.has_moved = True

    def night(self) -> None:
        """Everybody ends, and begins the next day."""
        if self.is_tomorrow:
            return
        self.end()
        self.account.now += ONE_DAY
        self.is_tomorrow = True
        name, strategies = ("Y", "AC") if self.has_moved else ("X", "AB")
        self.runs_a = self.account.start(name, strategies, tomorrow=True)
        self.others = [self.account.start("X", "B", tomorrow=True)] if self.has_moved else []

    def end(self) -> None:
        """Everybody ends in order."""
        self.won = self.runs_a.books.ledger.pnl("A")
        for seat in (*self.others, self.runs_a):
            self.account.end(seat)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(12))
def test_the_days_of_a_strategy_that_moves_sum_to_what_its_book_has_won(
    tmp_path: Path, seed: int
) -> None:
    account = Account(tmp_path)
    story = Story(account, seed)
    story.play()
    tables = [source.rows()["pnl_daily"] for source in session_sources(tmp_path)]
    own = [day["net_pnl"] for rows in tables for day in rows if day["strategy"] == "A"]
    assert sum(own) == story.won
    account.check_sessions()
