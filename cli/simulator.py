"""`multi-trader simulator`: serves Alpaca's protocol on a loopback port, for any client."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import complain, plainly
from cli.logs import configure_logging
from cli.options import (
    AsJson,
    BarsFile,
    FillModel,
    LogLevel,
    SessionDate,
    SourceName,
    a_number,
    a_speed,
    refuse_source_alone,
)
from cli.signals import StopSignals
from cli.tables import print_json

if TYPE_CHECKING:
    from simulator.options import SimulatorOptions
    from simulator.server import Simulator


Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        parser=a_number(0, 2**63 - 1),
        metavar="N",
        help="Seed of the generated bars.",
    ),
]
Port = Annotated[
    int,
    typer.Option("--port", parser=a_number(0, 65_535), metavar="P", help="0 takes a free one."),
]
Cash = Annotated[
    int,
    typer.Option(
        "--cash",
        parser=a_number(1, 10**12),
        metavar="DOLLARS",
        help="What the account begins with.",
    ),
]
ClockSpeed = Annotated[
    float,
    typer.Option("--clock-speed", parser=a_speed, metavar="N", help="Up to N times real time."),
]
FaultFile = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", help="Faults to play at set times, a JSON list."),
]


@plainly
def simulator(
    bars: BarsFile = None,
    source: SourceName = None,
    date: SessionDate = None,
    seed: Seed = 7,
    port: Port = 0,
    clock_speed: ClockSpeed = 600.0,
    fill_model: FillModel = None,
    faults: FaultFile = None,
    cash: Cash = 100_000,
    json: AsJson = False,
    log_level: LogLevel = "INFO",
) -> None:
    """Serve Alpaca's protocol on this machine, until Ctrl-C.

    Bars are generated from the seed, or replayed from a file.

    Prints the variables that point a coordinator, or any other Alpaca client, at it.
    Any key and secret are accepted. The clock stands still until a client subscribes to bars.
    There are bars only: trades, quotes and order books can be subscribed to, but stay silent.

    \b
    Example:
      multi-trader simulator --date 2026-03-17 --port 8900
    """
    configure_logging(log_level)
    refuse_source_alone(source, bars)
    from simulator.options import SimulatorOptions

    options = SimulatorOptions(
        bars=bars,
        source=source,
        date=date,
        seed=seed,
        port=port,
        clock_speed=clock_speed,
        faults=faults,
        cash=Decimal(cash),
        fill_model=fill_model or SimulatorOptions.fill_model,
    )
    with StopSignals("Stopping the simulator.") as stop, _listening(options) as served:
        found = variables(served)
        if json:
            print_json(found)
        else:
            typer.echo("\n".join(f"export {name}={value}" for name, value in found.items()))
        complain(f"Serving. In another terminal: multi-trader run --clock-speed {clock_speed:g}")
        threading.Thread(target=_watch, args=(served, stop), daemon=True).start()
        stop.wait()
        if not stop.signalled:
            served.wait()  # it ended by itself: raises the reason


@contextmanager
def _listening(options: SimulatorOptions) -> Iterator[Simulator]:
    """Run the simulator within the context; raises OperatorError if its port is not available."""
    from coordinator.errors import OperatorError
    from simulator.server import Simulator

    served = Simulator(options)
    try:
        served.start()
    except OSError as error:
        raise OperatorError(
            f"The simulator cannot listen on port {options.port}: {os.strerror(error.errno or 0)}. "
            "Choose another with --port; 0 takes a free one."
        ) from error
    try:
        yield served
    finally:
        served.stop()


def _watch(served: Simulator, stop: StopSignals) -> None:
    """Request a stop when the simulator ends."""
    with suppress(RuntimeError):  # the main thread calls wait() again, which raises it there
        served.wait()
    stop.request()


def variables(served: Simulator) -> dict[str, str]:
    """The APCA_* variables that point a client at the simulator."""
    return {
        "APCA_API_KEY_ID": "simulator",
        "APCA_API_SECRET_KEY": "simulator",
        "APCA_API_BASE_URL": served.url,
        "APCA_API_DATA_URL": served.url,
        "APCA_API_STREAM_URL": served.stream_url,
    }
