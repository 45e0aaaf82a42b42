"""The end of a real day: the broker's lists, the journal and the warehouse are one story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from coordinator.bootstrap import ask_broker, session_sources
from simulator.server import Simulator
from tests.e2e.running import environment, run_here, simulator_options
from tests.oracle import configs
from warehouse import Store, load_session, reconcile

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)


def test_a_session_at_the_simulator_reconciles_three_ways(tmp_path: Path) -> None:
    with Simulator(simulator_options()) as venue, Store.open(":memory:") as store:
        run_here(venue, configs.one_of_each(), tmp_path, until=OPEN + timedelta(minutes=45))
        sources = session_sources(tmp_path)
        (loaded,) = [load_session(store, source) for source in sources]
        assert loaded.status == "loaded"
        assert loaded.rows["fills"] > 0
        ask = ask_broker(environment(venue, tmp_path))
        (agreement,) = reconcile(store, sources, ask)
        assert (agreement.three_way, agreement.found) == (True, 0), agreement.message

        store.connection.execute("DELETE FROM fills")
        (agreement,) = reconcile(store, sources, ask)
        kinds = store.connection.execute("SELECT DISTINCT kind FROM discrepancies").fetchall()
        assert {kind for (kind,) in kinds} == {"journal", "fill"}
        (agreement,) = reconcile(store, sources, ask_broker({"MULTI_TRADER_HOME": str(tmp_path)}))
        assert "journal and warehouse alone: there are no keys" in agreement.message
