"""The report in a real browser: drawn, without a complaint, and no wider than a phone."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from datetime import date
from decimal import Decimal
from html import escape
from pathlib import Path

import pytest

from tests.warehouse.conftest import lively_day
from warehouse import Store, load_session
from warehouse.page import page, table
from warehouse.queries import QueryResult
from warehouse.report import render_range, render_report

pytestmark = pytest.mark.thorough

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=2000"),
)
MEASURED = """<!doctype html><iframe style="border: 0; width: {width}px; height: 900px"
srcdoc="{page}"></iframe><pre id="measured"></pre><script>
document.querySelector('iframe').onload = event => {{
  const inside = event.target.contentDocument, style = getComputedStyle(inside.body);
  const cut = text => {{
    const svg = text.ownerSVGElement, shown = getComputedStyle(svg).overflow === 'visible';
    return text.getBoundingClientRect().left < (shown ? 0 : svg.getBoundingClientRect().left);
  }};
  const scrolls = [...inside.querySelectorAll('.scroll')];
  const boxes = [...inside.querySelectorAll('svg polyline, svg path')].map(e => e.getBBox());
  document.getElementById('measured').textContent = JSON.stringify({{
    width: inside.documentElement.scrollWidth, shapes: boxes.length,
    drawn: boxes.filter(b => b.width > 0 || b.height > 0).length,
    cut: [...inside.querySelectorAll('svg text')].filter(cut).length,
    hidden: scrolls.filter(box => box.scrollWidth > box.clientWidth).length,
    headings: inside.querySelectorAll('h2').length, ink: style.color, paper: style.backgroundColor,
  }});
}};</script>"""
"""The page in a frame as wide as a window or a phone, and what became of it as JSON."""
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium on this machine: `apt-get install chromium` lets it look"
)


@pytest.fixture
def pages(store: Store) -> dict[str, str]:
    """The report of a session and of a range."""
    day = lively_day()
    load_session(store, day.source())
    load_session(store, day.next_day("s2").source())
    return {
        "session": render_report(store, "s1"),
        "range": render_range(store, date(2026, 3, 1), date(2026, 3, 31)),
    }


def look(tmp_path: Path, page: str, *options: str) -> tuple[str, str]:
    """What Chromium says on stdout and stderr of a page."""
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *QUIET, profile, *options, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout, done.stderr


@needs_chromium
@pytest.mark.parametrize(
    ("name", "width", "scheme", "paper"),
    [
        ("session", 1000, "1", "rgb(255, 255, 255)"),
        ("range", 390, "0", "rgb(18, 22, 29)"),
    ],
)
def test_a_page_is_drawn_without_a_complaint_and_fits_its_window(
    tmp_path: Path, pages: dict[str, str], name: str, width: int, scheme: str, paper: str
) -> None:
    framed = MEASURED.format(width=width, page=escape(pages[name]))
    colours = f"--blink-settings=preferredColorScheme={scheme}"
    told, complaints = look(tmp_path, framed, "--window-size=1200,1000", colours, "--dump-dom")
    found = json.loads(re.search(r'id="measured">(\{.*?\})<', told)[1])  # type: ignore[index]
    assert "CONSOLE" not in complaints, complaints
    assert found["width"] <= width
    assert found["headings"] >= 13
    assert found["cut"] == 0, "labels of the axes are seen whole"
    assert found["drawn"] >= found["shapes"] - 1 > 6  # a single close is no line
    assert (found["paper"], found["ink"] != found["paper"]) == (paper, True)


@needs_chromium
@pytest.mark.parametrize(("width", "hidden"), [(1180, 0), (390, 1)])
def test_a_wide_window_shows_every_column_of_the_profit_and_a_narrow_one_scrolls_it(
    tmp_path: Path, width: int, hidden: int
) -> None:
    money = ("start_equity", "end_equity", "transfers", "realized", "unrealized", "fees")
    columns = ["strategy", "net_pnl", "return", "max_drawdown", "fills", *money]
    amount = Decimal("100000.00")
    row = ("BigTech_Momentum_01", amount, -0.0271, 0.0305, 1200, *([amount] * len(money)))
    wide = page("wide", [table(QueryResult(columns, [row]))])
    framed = MEASURED.format(width=width, page=escape(wide))
    told, _ = look(tmp_path, framed, "--window-size=1300,1000", "--dump-dom")
    found = json.loads(re.search(r'id="measured">(\{.*?\})<', told)[1])  # type: ignore[index]
    assert (found["hidden"], found["width"] <= width) == (hidden, True)


@needs_chromium
def test_its_picture_is_not_blank(tmp_path: Path, pages: dict[str, str]) -> None:
    pictures = []
    for shown in (pages["session"], "<!doctype html><title>blank</title>"):
        shot = tmp_path / "shot.png"
        look(tmp_path, shown, "--window-size=390,900", f"--screenshot={shot}")
        pictures.append(changes(shot.read_bytes()))
    assert pictures[0] > 20 * pictures[1] + 5_000


def changes(png: bytes) -> int:
    """Bytes of a PNG that differ from what their neighbours foretell: next to none if blank."""
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw = zlib.decompress(data)
    return len(raw) - raw.count(0) - raw.count(255)
