"""Folders of users' strategies for tests, and the files that stand in them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

CROSSING = """\
from coordinator import Bar, Strategy, Window


class Crossing(Strategy):
    \"\"\"+1 above the average of some closes, -1 below.\"\"\"

    strategy_type = "crossing"
    window: Window = 3

    def signal(self, bars):
        closes = [bar.close for bar in bars[-self.window :]]
        return (closes[-1] * len(closes) > sum(closes)) - (closes[-1] * len(closes) < sum(closes))
"""

PANDAS = """\
class Rising:
    \"\"\"+1 while the close rises.\"\"\"

    strategy_type = "rising"

    def __init__(self, lookback: int = 2, least: float = 0.0):
        self.lookback, self.least = lookback, least

    def generate_signal(self, bars):
        return 1 if bars["close"].diff().iloc[-1] > self.least else -1
"""


def write_folder(place: Path, **files: str) -> Path:
    """A folder of strategies that nobody else can write to."""
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    for name, text in files.items():
        file = place / f"{name}.py"
        file.write_text(dedent(text))
        file.chmod(0o644)
    return place


def document(kind: str, folder: str = "own", **params: Any) -> dict[str, Any]:
    """A configuration of one strategy of this type, from the folder beside it."""
    one = {"name": "Own", "strategy_type": kind, "tickers": ["SPY"], "strategy_params": params}
    return {"strategies_dir": folder, "strategies": [one]}
