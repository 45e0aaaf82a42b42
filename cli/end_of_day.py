"""`multi-trader end-of-day`: loads sessions from the journals into the warehouse."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import typer

from cli.faults import ANYTHING_ELSE, complain, plainly
from cli.logs import configure_logging
from cli.options import AsJson, BrokerSpeed, LogLevel, SessionId
from cli.tables import print_json


@plainly
def end_of_day(
    session: SessionId = None,
    json: AsJson = False,
    clock_speed: BrokerSpeed = 1.0,
    log_level: LogLevel = "INFO",
) -> None:
    """Load sessions from the journals into the warehouse.

    Without --session, it loads every session that is new or has changed, except those still being
    traded. It is safe to repeat, also while a coordinator runs. Exit 1 if rows had to be put into
    quarantine, or if the journal of an account cannot be read; all others are loaded.

    \b
    Example:
      multi-trader end-of-day
    """
    configure_logging(log_level)
    from cli.loading import load_all
    from coordinator.bootstrap import home_folder, warehouse_path
    from coordinator.readers import loadable, running_sessions, unknown_session

    home = home_folder()
    running = running_sessions(home) if session is None else {}
    found = loadable(home, session)
    sources = [one for one in found.sources if one.session_id not in running]
    if session is not None and not sources:
        for error in found.kept_out:
            raise error
        raise unknown_session(home, session)
    incomplete, place = 0, warehouse_path()
    if sources or Path(place).exists():  # opening an older warehouse migrates it
        incomplete = load_all(place, sources, speed=clock_speed)
    if json:
        print_json(
            {
                "warehouse": str(place),
                "sessions": [source.session_id for source in sources],
                "incomplete": incomplete,
                "still_traded": sorted(running),
                "not_loaded": [str(error) for error in found.kept_out],
            }
        )
    else:
        _print(home, place, len(sources), running, all_readable=not found.kept_out)
    for error in found.kept_out:
        complain(f"Not loaded: {error}")
    if incomplete:
        complain(f"{_sessions(incomplete)} incomplete: the table `quarantine` says why.")
    if incomplete or found.kept_out:
        raise typer.Exit(ANYTHING_ELSE)


def _print(
    home: Path, place: Path | str, count: int, running: Collection[str], *, all_readable: bool
) -> None:
    if running:
        typer.echo(f"Still traded, and loaded after its end: {', '.join(sorted(running))}.")
    if count:
        typer.echo(f"{_sessions(count)} of the journal in {place}.")
    elif all_readable:
        ended = " that has ended" if running else ""
        typer.echo(f"Nothing to load: no journal under {home} holds a session{ended}.")


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
