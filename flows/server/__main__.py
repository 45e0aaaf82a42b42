"""`python -m flows.server up | down | demo`: what the Makefile calls.

The environment is set before anything imports Prefect, which reads its settings on import.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from coordinator.private import keep_private
from flows.server.places import (
    PORT_TAKEN,
    ROOT,
    Places,
    client_environment,
    free_port,
    without,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors are sentences on stderr."""
    keep_private()
    options = _parser().parse_args(arguments)
    os.chdir(ROOT)
    home = Path(options.home or os.environ.get("MULTI_TRADER_HOME") or "state").resolve()
    from flows.server.children import StartFailed
    from flows.server.ports import PortTaken

    try:
        match options.command:
            case "up":
                from flows.server.up import up

                return up(home, os.environ)
            case "down":
                from flows.server.up import down

                return down(home)
            case "supervise" | "finish":
                return _supervise(home, options)
            case _:
                return _demo(home, options)
    except StartFailed as failed:
        print(failed, file=sys.stderr)
        return PORT_TAKEN if isinstance(failed, PortTaken) else 1


def _supervise(home: Path, options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    places, environment = Places.under(home), dict(os.environ)
    os.environ.update(_adopted(places, options.port))
    from flows.server.supervisor import finish, supervise

    if options.command == "finish":
        return finish(places, options.port, environment)
    return supervise(places, options.port, environment, simulate=options.simulate)


def _demo(home: Path, options: argparse.Namespace) -> int:
    port, environment = free_port(), without(os.environ, "APCA_", "PREFECT_")
    os.environ.update(_adopted(Places.under(home, "prefect-demo"), port))
    from coordinator.errors import ConfigError
    from flows.server.demo import DATE, Ask, DemoFailed, demo

    config = Path(options.config or "configs/stocks_only.json")
    bars = Path(options.bars) if options.bars else None
    ask = Ask(config, bars, options.source, options.date or DATE)
    try:
        return demo(home, ask, environment, port)
    except ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except DemoFailed as failed:
        print(f"The demonstration failed: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started is stopped.", file=sys.stderr)
        return 130


def _adopted(places: Places, port: int) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    return client_environment(places, port, os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flows.server", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "demo", "supervise", "finish"])
    parser.add_argument("--home", help="state folder; default MULTI_TRADER_HOME or ./state")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--simulate", action="store_true")
    for name in ("config", "bars", "source", "date"):
        parser.add_argument(f"--{name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
