"""The parameters of runs: a configuration's path and a few flat overrides, with the forms' titles.

Prefect replaces a whole model when one of its fields is overridden, so every parameter is flat.
None is a key or secret: credentials reach the coordinator through the worker's environment alone.
"""

from __future__ import annotations

import logging
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from coordinator.bootstrap import RunOptions

_FILL_MODEL = r"^[a-z]+(:[0-9]+(\.[0-9]+)?)?$"
_FEED = "^(iex|sip)$"
A_DATE = r"^\d{4}-\d{2}-\d{2}"


def described(title: str, description: str, *, looks: str | None = None, **limits: Any) -> Any:
    """A field of Prefect's form; its own schema would show the bare name as the title.

    Prefect refuses a text that does not match `looks` as soon as it is asked for the run; what only
    the flow refuses would be a failed run whose log says nothing.
    """
    shown: dict[str, Any] = {"title": title, "description": description}
    if looks:
        shown["pattern"] = looks
    return Field(**limits, json_schema_extra=shown)


def _json_file(path: str) -> str:
    if not path.endswith(".json"):
        raise ValueError("a configuration is a .json file, such as configs/stocks_only.json")
    return path


Configuration = Annotated[
    str,
    AfterValidator(_json_file),
    described(
        "Configuration",
        "Path of the JSON file with the strategies, seen from the project's folder.",
        looks=r"\.json$",
        min_length=6,
    ),
]
Simulate = Annotated[
    bool,
    described("Simulate", "Trade against the embedded simulator; the account's keys are ignored."),
]
BarsFile = Annotated[
    str | None,
    described(
        "Bars file",
        "Parquet or CSV file of recorded one-minute bars; implies Simulate. Empty: seeded bars.",
    ),
]
Source = Annotated[
    str | None,
    described("Source", "Which set of the bars file, where it holds several."),
]
SessionDate = Annotated[
    date | None,
    described(
        "Session date",
        "Date to simulate; implies Simulate. Empty: today's, or the next.",
        looks=A_DATE,
    ),
]
ClockSpeed = Annotated[
    float | None,
    described(
        "Clock speed",
        "How many times faster than ours the broker's clock may run. Empty: 600 simulated, else 1.",
        gt=0,
        le=100_000,
    ),
]
FillModel = Annotated[
    str | None,
    described(
        "Fill model",
        "How the simulator fills market orders: spread, close, slippage:2, participation:0.1.",
        looks=_FILL_MODEL,
        pattern=_FILL_MODEL,
    ),
]
Feed = Annotated[
    str | None,
    described(
        "Feed",
        "iex or sip, in place of the configuration's.",
        looks=_FEED,
        pattern=_FEED,
    ),
]

MOST_RECOVERIES = 5
Recovery = Annotated[
    int,
    described(
        "Recovery",
        "Which start in a row this is after a crash; filled in by the automation that recovers.",
        ge=0,
        le=MOST_RECOVERIES,
    ),
]


def run_options(
    *,
    config: str,
    simulate: bool,
    bars: str | None,
    source: str | None,
    session_date: date | None,
    clock_speed: float | None,
    fill_model: str | None,
    feed: str | None,
) -> RunOptions:
    """The coordinator's options for one run's parameters; live trading is not among them."""
    return RunOptions(
        config=Path(config),
        simulate=simulate,
        bars=Path(bars) if bars else None,
        source=source or None,
        date=session_date,
        clock_speed=clock_speed,
        fill_model=fill_model or None,
        feed=feed or None,
    )


def let_coordinator_speak() -> None:
    """Lets the coordinator's INFO lines reach the run's page: Prefect adds a handler, no level."""
    logging.getLogger("coordinator").setLevel(logging.INFO)


def run_name(flow_name: str, parameters: dict[str, Any]) -> str:
    """A run's name in the UI: flow, configuration, and the date and recovery if given."""
    stem = re.sub(r"\.json$", "", str(parameters.get("config") or "")).rpartition("/")[2]
    day = parameters.get("session_date")
    again = f"recovery {parameters['recovery']}" if parameters.get("recovery") else None
    return " ".join(str(part) for part in (flow_name, stem, day, again) if part)
