"""Questions to the broker, queued for one worker: orders, the account, bars, rules, the time.

The loop never waits for them: each answer comes back to it as messages. An order that stays open
is looked up again and again (`order_lookups.py`), until the broker's evidence ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order
from coordinator.errors import BrokerError, BrokerRejected
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errand_queue import Deliver, Work
from coordinator.shell.evidence import reports_of
from coordinator.shell.look import Looks
from coordinator.shell.missed_bars import MissedBars
from coordinator.shell.order_lookups import OrderLookups
from coordinator.shell.pace import Pace, patient
from coordinator.shell.ports import Ports
from coordinator.shell.repeats import Repeats
from coordinator.shell.startup import CANNOT_BE_SOLD
from coordinator.shell.watchdog import Depth

log = logging.getLogger("coordinator")
KEYS_REFUSED = (401, 403)
"""HTTP statuses that refuse whoever asks, not the question."""
PATIENCE_S = 15.0
"""Local seconds that a question waits for its turn; if it still matters then, it is asked again."""


class Questions:
    """Asks the broker. `deliver` is called on the loop with the answers.

    `make_broker` gives the worker a REST session of its own; `in_line` says whether an order is
    still to be sent; `keys_refused` is called when the broker does not show us the account.
    """

    def __init__(
        self,
        ports: Ports,
        make_broker: Callable[[Pace], Broker],
        clock: BrokerClock,
        books: Books,
        deliver: Deliver,
        in_line: Callable[[str], bool],
        keys_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._broker = make_broker(patient(ports.turn, ports.sleep, patience_s=PATIENCE_S))
        self._worker = ports.workers.one("questions")
        began = clock.last_reading  # the start may have taken long
        self._looks = Looks(self._broker, books, began)
        self._missed_bars = MissedBars(self._broker, clock, ports.sleep)
        self._lookups = OrderLookups(books, clock, ports.monotonic)
        self._clock = clock
        self._books = books
        self._deliver = deliver
        self._in_line = in_line
        self._keys_refused = keys_refused
        self._looking = False
        self._assets_asked: set[str] = set()
        self._repeats = Repeats(ports.monotonic)

    @property
    def due_s(self) -> float | None:
        """Local time at which an order is to be looked up next; None while none is."""
        return self._lookups.due_s

    def sent(self, client_order_id: str) -> None:
        """An order was just sent: from now on it is looked up until it has ended."""
        self._lookups.begin(client_order_id)

    def look_up(self, client_order_id: str) -> None:
        """Ask for an order soon: at once the first time, then at its own pace.

        One that is still to be sent is not asked for.
        """
        order = self._books.orders.get(client_order_id)
        if order is None or self._in_line(client_order_id):
            return
        self._lookups.hasten(order)
        self.look_up_due()

    def look_up_due(self) -> None:
        """Look up the open orders that are due."""
        for order in self._lookups.due():
            self._ask(partial(self._find, order))

    def fetch_bars(self, starts: Mapping[str, datetime]) -> None:
        """Fetch the bars of each ticker that start at its time in `starts` or later.

        One BarsArrived of origin BACKFILL comes back, without bars if the broker does not answer.
        """
        self._ask(lambda: [self._missed_bars.since(starts)])

    def look(self, depth: Depth) -> None:
        """Take a look at the account, unless one is under way."""
        if not self._looking:
            self._looking, version = True, self._books.posted.version
            take = partial(self._looks.take, version, depth)
            self._worker.submit(take, self._looked, self._not_looked)

    def read_clock(self) -> None:
        """Ask for the broker's time."""
        self._ask(lambda: [m.ClockRead(self._broker.clock())])

    def read_asset(self, symbol: str) -> None:
        """Ask for the order rules of a ticker: again only if the broker could not answer."""
        if symbol not in self._assets_asked:
            self._assets_asked.add(symbol)
            not_read = partial(self._asset_not_read, symbol)
            self._worker.submit(partial(self._read_asset, symbol), self._deliver, not_read)

    async def stop(self) -> None:
        """Let the question under way be answered, or not, and end the worker."""
        self._missed_bars.stop()
        await self._worker.stop()

    def _find(self, order: Order) -> list[m.Message]:
        """The order as the broker has it: an update for each execution, and one for a successor."""
        order_id = order.client_order_id
        found = self._broker.order(order_id)
        if found is None:
            now = self._clock.now()
            return [m.OrderAbsent(order_id, now)] if self._lookups.missed(order_id, now) else []
        if (order.symbol, order.side, order.qty) != (found.symbol, found.side, found.qty):
            return [m.SubmitRefused(order_id, found.at, "another order stands under this id")]
        return [*reports_of(found, self._broker)]

    def _read_asset(self, symbol: str) -> list[m.Message]:
        return [m.AssetRead(self._clock.now(), self._broker.asset(symbol))]

    def _asset_not_read(self, symbol: str, error: BaseException) -> None:
        if isinstance(error, BrokerRejected) and error.status not in KEYS_REFUSED:
            log.warning(CANNOT_BE_SOLD, symbol, error)
            return
        self._assets_asked.discard(symbol)
        self._not_asked(error)

    def _looked(self, seen: m.AccountSeen) -> None:
        self._looking = False
        self._deliver([seen])

    def _not_looked(self, error: BaseException) -> None:
        self._looking = False
        self._not_asked(error)
        if isinstance(error, BrokerRejected) and error.status in KEYS_REFUSED:
            self._keys_refused()

    def _ask(self, work: Work) -> None:
        self._worker.submit(work, self._deliver, self._not_asked)

    def _not_asked(self, error: BaseException) -> None:
        line = f"the broker could not be asked: {error}"
        if not isinstance(error, BrokerError):
            log.warning(line, exc_info=error)
        elif told := self._repeats.told(line):
            log.warning(told)
