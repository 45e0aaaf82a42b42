"""The report: one file that says what was wrong first, and needs nothing but itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.warehouse.builder import Day, d
from warehouse import Store, WarehouseMissing, load_session
from warehouse.calendar import calendar, strategy_grid
from warehouse.chart import Line, line_chart, nice_ticks, time_ticks
from warehouse.figures import ChartLines, curve_sections, read_lines
from warehouse.page import legend, table
from warehouse.picture import session_picture
from warehouse.queries import QueryResult
from warehouse.report import render_range, render_report, write_report

VOID = {"meta", "link"}


class Outline(HTMLParser):
    """Fails on unbalanced tags; collects headings, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


@pytest.mark.thorough
def test_the_report_is_one_private_file_without_any_address(location: Path, day: Day) -> None:
    with Store.open(location) as store:
        load_session(store, day.source())
    path = write_report(location, None, location.parent / "reports" / "s1.html")
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    page = path.read_text(encoding="utf-8")
    outline = Outline(page)
    addresses = [value for name, value in outline.attributes if name in ("href", "src")]
    assert addresses == ["data:,"]
    assert "url(" not in page
    assert "<script" not in page
    assert "//" not in page
    assert "prefers-color-scheme: dark" in page
    assert ("name", "viewport") in outline.attributes


def test_the_report_tells_each_strategys_day(store: Store, day: Day) -> None:
    load_session(store, day.source())
    page = render_report(store, "s1")
    outline = Outline(page)
    assert outline.headings == [
        "house, 2026-03-17",
        "Profit and loss",
        "Equity, dollars",
        "Gain within the session, dollars",
        "Drawdown from the peak, %",
        "Exposure, % of equity held",
        "Fills on the price",
        "Risk events",
        "Positions at the end",
        "Round trips",
        "Slippage against the decision",
        "Net P&L by day, all strategies, dollars",
        "Net P&L by strategy and day, dollars",
        "Fills, the last 500",
    ]
    words = " ".join(outline.text)
    for word in ("Alpha", "Beta", "UNASSIGNED", "BTC/USD", "451.75", "0.1", "Times are UTC"):
        assert word in words, word
    days = day.source().tables["pnl_daily"]
    net, fees, fills = (sum(row[of] for row in days) for of in ("net_pnl", "fees", "fills"))
    assert f"All together: net P&L {net:.2f}, fees {fees:.2f}, {fills} fills." in words
    headings = re.findall(r"<th.*?>", page)
    assert headings
    assert [one for one in headings if "scope=" not in one] == [], "for those who have them read"
    charts = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page)]  # noqa: S314
    names = [[line.findtext("title") for line in svg.iter("polyline")] for svg in charts]
    alone, summed = ["Alpha", "Beta"], ["Alpha", "Beta", "all strategies"]
    assert [sorted(map(str, each)) for each in names[:4]] == [alone, summed, alone, summed]
    assert all(len(line.get("points", "").split()) > 3 for line in charts[0].iter("polyline"))
    marks = [[mark.findtext("title") for mark in svg.iter("path")] for svg in charts[4:]]
    assert marks == [
        [
            "Beta: buy 0.1 at 80000.50",
            "Beta: sell 0.05 at 81000.123456789",
        ],
        [
            "Alpha: buy 10 at 450.25",
            "Alpha: sell 4 at 451.75",
            "Alpha: buy 3 at 452.00",
        ],
    ]


@pytest.mark.thorough
def test_a_range_has_a_part_for_each_account_and_never_sums_them(store: Store) -> None:
    day = Day(mode="paper")
    day.buy("Alpha", "SPY", "10", "450")
    load_session(store, day.source())
    after = day.next_day("s2")
    after.sell("Alpha", "SPY", "10", "455")
    source = after.source()
    denied = {"client_order_id": "Alpha.2026-03-18.9", "filled_qty": d("0"), "status": "denied"}
    unfilled = {"filled_avg_price": None, "reason": "max_daily_trades"}
    source.tables["orders"].append({**source.tables["orders"][0], **denied, **unfilled})
    load_session(store, source)
    other = Day("o1", account="SIM1")
    simulated = other.source()
    simulated.tables["strategies"][-1]["params"] = {"fill_model": "close"}
    load_session(store, simulated)
    page = render_range(store, date(2026, 3, 1), date(2026, 3, 31))
    outline = Outline(page)
    assert [head for head in outline.headings if head.startswith("Account")] == [
        "Account PA1, 2026-03-17 to 2026-03-18",
        "Account SIM1, 2026-03-17 to 2026-03-17",
    ]
    words = " ".join(outline.text)
    assert "2 sessions from 2026-03-17 to 2026-03-18, paper. Times" in words
    assert "1 session from 2026-03-17 to 2026-03-17, simulated (fill model: close)." in words
    assert "+50.00" in words
    assert "max_daily_trades" in words
    with pytest.raises(WarehouseMissing, match="any session from 2026-04-01 to 2026-04-02"):
        render_range(store, date(2026, 4, 1), date(2026, 4, 2))


@pytest.mark.thorough
@pytest.mark.parametrize(("account", "mode"), [("PA1", "paper"), ("SH-PA1", "shadow")])
def test_the_drawdown_of_a_range_is_no_smaller_than_what_was_lost_over_its_days(
    store: Store, account: str, mode: str
) -> None:
    day, beside = Day(account=account, mode=mode), Day("b1", mode="paper")
    for number in range(2, 5):
        day.buy("Alpha", "SPY", "10", "450")
        day.sell("Alpha", "SPY", "10", "400")
        load_session(store, day.source())
        day = day.next_day(f"s{number}")
        if mode == "shadow":  # then it is told of beside the account's own sessions
            load_session(store, beside.source())
            beside = beside.next_day(f"b{number}")
    page = render_range(store, date(2026, 3, 1), date(2026, 3, 31), "PA1")
    lost, fell = re.search(  # type: ignore[union-attr]
        r"Alpha</td>.*?-1,500\.00</td>.*?>-([\d.]+)%</td>.*?>([\d.]+)%</td>", page
    ).groups()
    assert float(fell) >= float(lost) > 10


def test_the_calendar_shades_gains_and_losses_by_their_size() -> None:
    monday = date(2026, 3, 16)
    shown = calendar({monday: 100.0, date(2026, 3, 18): -25.0, date(2026, 3, 24): 0.0})
    assert shown.count("<tr>") == 4  # the weekdays, the year, and two weeks
    assert shown.index("<b>24</b>0<") < shown.index("Mar 16")  # the newest first
    assert 'rgba(var(--gain), 0.70)"><b>Mar 16</b>+100' in shown
    assert 'rgba(var(--loss), 0.39)"><b>18</b>-25.00' in shown
    assert "<td><b>17</b></td>" in shown  # no session


def test_a_long_calendar_leaves_out_the_weeks_without_a_session_and_names_its_years() -> None:
    shown = calendar({date(2016, 10, 7): -20.0, date(2026, 3, 18): 100.0})
    assert shown.count("<tr>") == 5  # the weekdays, two years, two weeks
    years = [shown.index(word) for word in (">2026<", "<b>Mar 16</b>", ">2016<", "<b>Oct 3</b>")]
    assert years == sorted(years)


def test_the_first_days_of_a_year_stand_in_it_though_their_week_began_in_the_year_before() -> None:
    shown = calendar({date(2026, 1, 2): 100.0, date(2026, 1, 5): -20.0})
    assert ">2026<" in shown
    assert ">2025<" not in shown
    assert ">2025<" in calendar({date(2025, 12, 31): 100.0})


@pytest.mark.thorough
def test_what_is_wrong_comes_first(store: Store, day: Day) -> None:
    day.rows["discrepancies"].append(
        {
            "session_id": "s1",
            "found_at": day.at,
            "kind": "position",
            "symbol": "SPY",
            "strategy": None,
            "ours": d("6"),
            "brokers": d("7"),
            "note": "sold by <hand>",
        }
    )
    source = day.source()
    source.tables["fills"][0]["side"] = "hold"
    load_session(store, source)
    page = render_report(store, None)
    outline = Outline(page)
    assert outline.headings[1] == "Discrepancies"
    assert page.index("fills.side row 1: hold is none of") < page.index("Discrepancies")
    assert "sold by &lt;hand&gt;" in page
    store.connection.execute(
        "INSERT INTO quarantine SELECT session_id, table_name, reason, row, quarantined_at "
        "FROM quarantine, range(99) WHERE table_name = 'fills'"
    )
    ((count,),) = store.connection.execute("SELECT count(*) FROM quarantine").fetchall()
    assert count > 50
    assert f"quarantine holds {count}." in render_report(store, None)


@pytest.mark.thorough
def test_the_latest_session_is_reported_unless_another_is_named(store: Store) -> None:
    day = Day()
    load_session(store, day.source())
    load_session(store, day.next_day("s2").source())
    assert "2026-03-18" in render_report(store, None)
    assert "2026-03-17" in render_report(store, "s1")


def test_a_session_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(WarehouseMissing, match="does not hold session 's9'"):
        render_report(store, "s9")
    with pytest.raises(WarehouseMissing, match="does not hold any session"):
        render_report(store, None)


@pytest.mark.thorough
def test_a_range_shows_what_each_coordinator_of_an_account_holds_at_its_end(store: Store) -> None:
    stocks, crypto = Day("s1", tickers={"Alpha": ["SPY"]}), Day("s2", tickers={"Beta": ["BTC/USD"]})
    stocks.buy("Alpha", "SPY", "10", "450")
    crypto.buy("Beta", "BTC/USD", "0.1", "80000")
    crypto.opened_at += timedelta(minutes=1)
    for day in (stocks, crypto):
        load_session(store, day.source())
    page = render_range(store, date(2026, 3, 17), date(2026, 3, 17))
    held = page.partition("Positions at the end")[2].partition("<h2>")[0]
    assert re.findall(r"<td[^>]*>(?:SPY|BTC/USD)</td>", held) == [
        '<td class="">SPY</td>',
        '<td class="">BTC/USD</td>',
    ]


def test_a_range_ends_with_what_a_strategy_has_where_it_moved_to(store: Store) -> None:
    day = Day()
    day.activity("Alpha", "dividend", "100")
    day.buy("Alpha", "SPY", "10", "450")
    load_session(store, day.source())
    day = day.moved_to("s0")
    day.sell("Alpha", "SPY", "4", "445")
    load_session(store, day.source())
    page = render_range(store, date(2026, 3, 17), date(2026, 3, 17))
    held = page.partition("Positions at the end")[2].partition("<h2>")[0]
    assert re.findall(r"<td[^>]*>(SPY|6|10)</td>", held) == ["SPY", "6"]
    (alpha, *_) = read_lines(store, ["s0", "s1"]).equities
    assert [value for _, value in alpha.points] == [10000, 10100, 10050]
    assert ">10,050.00</td>" in page, "its equity at the end"


@pytest.mark.thorough
def test_a_price_is_drawn_minute_by_minute_where_it_has_bars_however_long_the_range(
    store: Store,
) -> None:
    first = Day()
    load_session(store, first.source())
    last = first.next_day("s2", days=900)
    for minute in range(1, 30):
        last.bar("SPY", str(450 + minute % 7), minute=minute)
    last.buy("Alpha", "SPY", "1", "451")
    last.at += timedelta(minutes=30)
    load_session(store, last.source())
    page = render_range(store, first.day, last.day)
    line = re.search(r'points="([^"]*)"><title>SPY<', page)
    assert line is not None
    assert len({point.split(",")[0] for point in line[1].split()}) == 29


def test_prices_from_before_a_split_are_drawn_in_the_shares_after_it(store: Store) -> None:
    first = Day()
    first.bar("SPY", "100")
    first.buy("Alpha", "SPY", "4", "100")
    first.split("Alpha", "SPY", 2, days=1)  # booked in the night
    load_session(store, first.source())
    second = first.next_day("s2")
    second.bar("SPY", "50")
    second.buy("Alpha", "SPY", "1", "50")
    load_session(store, second.source())
    third = second.next_day("s3")
    third.split("Alpha", "SPY", 4)
    third.sell("Alpha", "SPY", "6", "12.5")
    third.bar("SPY", "12.5")
    load_session(store, third.source())
    page = render_range(store, first.day, third.day)
    line = re.search(r'points="([^"]*)"><title>SPY<', page)
    assert line is not None
    assert len({point.split(",")[1] for point in line[1].split()}) == 1
    assert len(set(re.findall(r'class="mark buy" d="M[\d.]+ ([\d.]+)', page))) == 1
    assert "Alpha: buy 4 at 100.00" in page
    assert "Prices are of the shares after the splits of 2026-03-18, 2026-03-19." in page
    assert "Prices are of" not in render_report(store, "s1"), "its own shares were the old ones"


def test_a_split_that_two_coordinators_of_an_account_book_is_one(store: Store) -> None:
    for name in ("Alpha", "Gamma"):
        first = Day(f"{name}1", tickers={name: ["SPY"]})
        first.bar("SPY", "100")
        first.buy(name, "SPY", "4", "100")
        load_session(store, first.source())
        second = first.next_day(f"{name}2")
        second.split(name, "SPY", 2)
        second.bar("SPY", "50")
        second.sell(name, "SPY", "3", "50")
        load_session(store, second.source())
    page = render_range(store, first.day, second.day)
    line = re.search(r'points="([^"]*)"><title>SPY<', page)
    assert line is not None
    assert len({point.split(",")[1] for point in line[1].split()}) == 1


def test_the_exposures_of_many_days_are_means_of_weeks(store: Store) -> None:
    start = datetime(2026, 3, 16, 20, tzinfo=UTC)  # a Monday

    def drawn(days: int) -> tuple[str, list[int]]:
        points = [(start + timedelta(days=i), float(i % 7 < 2)) for i in range(days)]
        line = Line("Alpha", points, holds=False)
        page = curve_sections(ChartLines([line], [line], [line], [line], line, line), "range")
        title = re.findall("<h2>(Exposure[^<]*)</h2>", page)
        shapes = re.findall('polyline class="line c0" points="([^"]*)"', page)
        return title[0], [len(shape.split()) for shape in shapes]

    assert drawn(61) == ("Exposure, % of equity held", [61, 61, 61, 61])
    assert drawn(77) == ("Exposure, % of equity held, mean of each week", [77, 77, 77, 11])
    title, (*_, weeks) = drawn(700)
    assert (title, weeks) == ("Exposure, % of equity held, mean of every 2 weeks", 50)


def test_capital_that_comes_and_goes_within_a_session_is_drawn_as_no_gain_and_no_fall(
    store: Store,
) -> None:
    day = Day()
    play = [("dividend", "100"), ("transfer", "-6060"), ("transfer", "960"), ("dividend", "-50")]
    for kind, amount in play:
        day.activity("Alpha", kind, amount, "SPY")
    load_session(store, day.source())
    lines = read_lines(store, ["s1"])
    (gains,), (falls,) = (
        [one for one in of if one.name == "Alpha"] for of in (lines.gains, lines.drawdowns)
    )
    assert [gain for _, gain in gains.points] == [0, 100, 100, 100, 50]
    assert [fall for _, fall in falls.points] == [0, 0, 0, 0, 0.01]
    days = "SELECT max_drawdown FROM pnl_daily WHERE strategy = 'Alpha'"
    assert store.rows(days, []) == [{"max_drawdown": 0.01}]


def test_a_day_of_two_coordinators_is_drawn_minute_by_minute(store: Store) -> None:
    stocks, crypto = Day("s1", tickers={"Alpha": ["SPY"]}), Day("s2", tickers={"Beta": ["BTC/USD"]})
    crypto.buy("Beta", "BTC/USD", "0.1", "80000")
    for price in ("450", "451", "449"):
        stocks.buy("Alpha", "SPY", "1", price)
    for day in (stocks, crypto):
        load_session(store, day.source())
    gains = {
        line.name: [gain for _, gain in line.points]
        for line in read_lines(store, ["s1", "s2"]).gains
    }
    assert gains == {"Alpha": [0, 0, 1, -3], "Beta": [0, 0]}


@pytest.mark.thorough
def test_executions_too_near_to_each_other_to_be_told_apart_are_one_mark_and_none_is_left_out(
    store: Store,
) -> None:
    day = Day(tickers={"Alpha": ["SPY"], "Beta": ["SPY"]})
    for number in range(1200):
        day.buy("Alpha" if number % 3 else "Beta", "SPY", "0.01", f"{450 + number % 2}.1")
    load_session(store, day.source())
    page = render_report(store, "s1")
    told = re.findall(r'class="mark buy"[^>]*><title>([^:]*): buy ([\d.]+) at ([^<]*)<', page)
    assert sum(float(qty) for _, qty, _ in told) == pytest.approx(12)
    assert len(told) <= 450
    assert ("Alpha, Beta", "0.03", "450.10 to 451.10") in told


@pytest.mark.thorough
def test_a_price_that_two_feeds_tell_is_drawn_as_the_consolidated_one_tells_it(
    store: Store,
) -> None:
    day = Day()
    for minute in range(1, 30):
        day.bar("SPY", "450", minute=minute)
        day.bar("SPY", str(440 + minute), minute=minute)
        day.rows["bars"][-1]["feed"] = "sip"
    day.buy("Alpha", "SPY", "1", "451")
    day.at += timedelta(minutes=30)
    load_session(store, day.source())
    line = re.search(r'points="([^"]*)"><title>SPY<', render_report(store, "s1"))
    assert line is not None
    heights = [float(point.split(",")[1]) for point in line[1].split()]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.thorough
def test_a_page_of_many_strategies_is_folded_and_shows_the_smallest_prices(store: Store) -> None:
    day = Day(tickers={f"S{number:02}": ["SHIB/USD"] for number in range(70)})
    day.buy("S01", "SHIB/USD", "1000000", "0.000012345")
    load_session(store, day.source())
    page = render_report(store, "s1")
    assert ", 1 fill.</p>" in page
    assert "<summary>Show 71 rows</summary>" in page  # of profit and loss
    assert "<summary>Show 70 rows</summary>" in page  # of gains by day
    assert page.count(">0.000012345</td>") == 2  # of the fill, and what the rest is marked with


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (999_990, 1_000_002.5, ["999,990.0", "999,992.5", "999,995.0"]),
        (100_000.1, 100_000.9, ["100,000.0", "100,000.2", "100,000.4"]),
        (-50, 12_000_000, ["-2,500,000", "0", "2,500,000"]),
        (0.00001, 0.00004, ["0.00001", "0.00002", "0.00003"]),
    ],
)
def test_each_line_of_an_axis_has_its_own_label_in_plain_digits(
    low: float, high: float, labels: list[str]
) -> None:
    start = datetime(2026, 3, 17, tzinfo=UTC)
    drawn = line_chart([Line("a", [(start, low), (start + timedelta(hours=1), high)])], "dollars")
    svg = ElementTree.fromstring(drawn)  # noqa: S314
    values = [text.text for text in svg.iter("text") if text.get("x") == "78"]
    assert values[: len(labels)] == labels
    assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-3, 7, [-4, -2, 0, 2, 4, 6, 8]),
        (5, 5, [4, 4.5, 5, 5.5, 6]),
        (0, 0.001, [0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001]),
        (-1e-13, 100 + 1e-12, [0, 20, 40, 60, 80, 100]),
        (10000, 10012.5, [10000, 10002.5, 10005, 10007.5, 10010, 10012.5]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("start", "minutes", "ticks"),
    [
        ("2026-03-17 13:20", 401, ["14:00", "15:00", "16:00", "17:00", "18:00", "19:00", "20:00"]),
        ("2026-11-27 14:20", 221, ["14:30", "15:00", "15:30", "16:00", "16:30", "17:00", "17:30"]),
        ("2026-03-17 00:00", 1440, ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00"]),
        ("2026-03-17 13:30", 3, ["13:30", "13:31", "13:32", "13:33"]),
        ("2026-03-17 13:30", 0, ["13:30"]),
        ("2026-03-02 13:30", 28 * 1440, ["03-09", "03-16", "03-23", "03-30"]),
    ],
)
def test_times_on_an_axis_are_round(start: str, minutes: int, ticks: list[str]) -> None:
    begins = datetime.fromisoformat(f"{start}+00:00")
    found = time_ticks(begins, begins + timedelta(minutes=minutes))
    form = "%m-%d" if minutes > 2 * 1440 else "%H:%M"
    assert [at.strftime(form) for at in found][: len(ticks)] == ticks
    assert 1 <= len(found) <= 9


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-01-01", "2026-12-31", ["2026-01", "2026-04", "2026-07", "2026-10"]),
        ("2026-01-02", "2027-01-01", ["2026-04", "2026-07", "2026-10", "2027-01"]),
        ("2024-11-05", "2027-03-01", ["2025-01", "2025-07", "2026-01", "2026-07", "2027-01"]),
        ("2010-05-05", "2027-03-01", ["2013-01", "2016-01", "2019-01", "2022-01", "2025-01"]),
    ],
)
def test_a_year_is_divided_where_its_months_begin(start: str, end: str, months: list[str]) -> None:
    ends = [datetime.fromisoformat(f"{text}T00:00+00:00") for text in (start, end)]
    found = time_ticks(*ends)
    assert {(at.day, at.hour) for at in found} == {(1, 0)}
    assert [f"{at:%Y-%m}" for at in found] == months


def test_ten_years_have_as_few_times_on_their_axis_as_a_day() -> None:
    begins = datetime(2016, 3, 17, tzinfo=UTC)
    assert 3 <= len(time_ticks(begins, begins + timedelta(days=3650))) <= 9


@pytest.mark.parametrize("days", [0.2, 1, 3, 7, 8, 13, 29, 57, 200, 400, 3000])
@pytest.mark.parametrize("hour", [0, 13])
def test_no_two_times_on_an_axis_overlap(days: float, hour: int) -> None:
    start = datetime(2026, 3, 12, hour, 20, tzinfo=UTC)
    points = [(start, 1.0), (start + timedelta(days=days), 2.0)]
    svg = ElementTree.fromstring(line_chart([Line("a", points)], "dollars"))  # noqa: S314
    edges = [0.0]
    for text in [each for each in svg.iter("text") if each.get("y") == "292"]:
        wide = 6.5 * len(text.text or "")  # of 11 px letters
        left = float(text.get("x", "")) - (wide if text.get("text-anchor") == "end" else wide / 2)
        edges += [left, left + wide]
    assert len(edges) > 3
    assert edges == sorted(edges)
    assert edges[-1] < 725


@pytest.mark.parametrize(
    ("hours", "texts"),
    [
        (44, ["03-17", "06:00", "12:00", "18:00", "03-18", "06:00", "12:00", "18:00"]),
        (72, ["03-17", "12:00", "03-18", "12:00", "03-19", "12:00", "03-20"]),
        (97, ["03-17", "03-18", "03-19", "03-20", "03-21"]),
    ],
)
def test_an_axis_names_each_day_once_and_says_the_time_within_it(
    hours: int, texts: list[str]
) -> None:
    start = datetime(2026, 3, 17, tzinfo=UTC)
    drawn = line_chart(
        [Line("a", [(start, 1.0), (start + timedelta(hours=hours), 2.0)])], "dollars"
    )
    svg = ElementTree.fromstring(drawn)  # noqa: S314
    assert [text.text for text in svg.iter("text") if text.get("y") == "292"] == texts


@pytest.mark.thorough
def test_a_page_tells_times_to_the_second_and_prices_to_the_cent(store: Store, day: Day) -> None:
    load_session(store, day.source())
    page = render_report(store, "s1")
    assert "452.00</td>" in page
    slippage = page.partition("Slippage against the decision")[2].partition("<h2>")[0]
    assert re.findall(r">(-?\d+\.\d*)<", slippage)[::2] == ["0.79", "0.00"]
    assert not re.search(r"\d\d:\d\d:\d\d(Z|\.\d)", " ".join(Outline(page).text))


def test_a_long_line_is_thinned_and_keeps_its_end() -> None:
    start = datetime(2026, 3, 17, tzinfo=UTC)
    points = [(start + timedelta(minutes=i), float(i)) for i in range(10_001)]
    svg = ElementTree.fromstring(line_chart([Line("a", points)], "dollars"))  # noqa: S314
    drawn = next(svg.iter("polyline")).get("points", "").split()
    assert len(drawn) <= 2 * 402, "a step has two corners"
    assert drawn[-1] == "708.0,12.0"


def test_the_days_of_a_range_are_joined_and_a_sessions_minutes_hold(store: Store) -> None:
    day = Day()
    load_session(store, day.source())
    load_session(store, day.next_day("s2").source())
    for sessions, corners in ((["s1"], 3), (["s1", "s2"], 2)):
        (line, *_) = read_lines(store, sessions).gains
        rises = replace(line, points=[(day.opened_at, 0.0), (day.opened_at + timedelta(1), 1.0)])
        svg = ElementTree.fromstring(line_chart([rises], "dollars"))  # noqa: S314
        assert len(next(svg.iter("polyline")).get("points", "").split()) == corners


def test_a_peak_and_a_trough_of_one_minute_are_drawn_however_long_the_line() -> None:
    start = datetime(2026, 3, 17, tzinfo=UTC)
    points = [(start + timedelta(minutes=i), 0.0) for i in range(50_000)]
    points[12_345] = (points[12_345][0], 90.0)
    points[34_567] = (points[34_567][0], -90.0)
    for lines in ([Line("a", points)], [Line("a", []) for _ in range(8)] + [Line("a", points)]):
        svg = ElementTree.fromstring(line_chart(lines, "dollars"))  # noqa: S314
        drawn = next(svg.iter("polyline")).get("points", "").split()
        heights = {float(corner.split(",")[1]) for corner in drawn}
        assert (min(heights), max(heights)) == (25.0, 259.0)  # of 12 for 100 and 272 for -100
        assert len(drawn) < 450


def test_each_stretch_of_time_tells_the_values_that_hold_in_it() -> None:
    start = datetime(2026, 3, 17, 14, 30, tzinfo=UTC)
    at = [start + timedelta(minutes=i) for i in range(3)]
    lines = [Line("Alpha", [(at[0], 0.0), (at[2], 7.5)]), Line("<Beta>", [(at[1], -12_345.5)])]
    svg = ElementTree.fromstring(  # noqa: S314
        line_chart(lines, "dollars", together=Line("all", [(at[0], 1.0)]))
    )
    assert [stretch.findtext("title") for stretch in svg.iter("rect")] == [
        "2026-03-17 14:30, dollars\nall: 1.00\nAlpha: 0.00",
        "2026-03-17 14:31, dollars\nall: 1.00\nAlpha: 0.00\n<Beta>: -12,345.50",
        "2026-03-17 14:32, dollars\nall: 1.00\nAlpha: 7.50\n<Beta>: -12,345.50",
    ]
    widths = [float(stretch.get("width", "")) for stretch in svg.iter("rect")]
    assert sum(widths) == pytest.approx(720 - 84 - 12, abs=0.2)
    long = [Line(str(i), [(start + timedelta(minutes=m), 0.0) for m in range(999)]) for i in "abc"]
    assert line_chart(long * 9, "dollars").count("<rect") == 60


def test_the_sum_of_all_strategies_is_drawn_from_what_each_has_last(store: Store) -> None:
    day = Day(tickers={"Alpha": ["SPY"], "Beta": ["QQQ"]})
    day.activity("Alpha", "dividend", "100")
    day.activity("Beta", "dividend", "-40")
    day.buy("Beta", "QQQ", "10", "498")
    load_session(store, day.source())
    after = day.next_day("s2")
    after.activity("Beta", "dividend", "15")
    load_session(store, after.source())
    within = read_lines(store, ["s1"])
    assert [value for _, value in within.gain.points] == [0, 100, 60, 60]
    assert within.exposure.points[-1][1] == pytest.approx(4980 / 20060)
    over = read_lines(store, ["s1", "s2"])
    assert [value for _, value in over.gain.points] == [0, 60, 75]
    assert len(over.exposure.points) == 2, "what was held as the range began is not known"
    assert over.exposure.points[-1][1] == pytest.approx(4980 / 20075)
    assert {line.name: [v for _, v in line.points] for line in over.equities} == {
        "Alpha": [10000, 10100, 10100],
        "Beta": [10000, 9960, 9975],
    }


@pytest.mark.thorough
def test_risk_events_are_denials_forced_sales_discrepancies_and_broken_sessions(
    store: Store,
) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "10", "450")
    day.sell("Alpha", "SPY", "10", "440", reason="stop")
    source = day.source()
    source.tables["sessions"][0]["status"] = "crashed"
    found = {"found_at": day.at, "kind": "cash", "symbol": None, "strategy": None}
    found |= {"ours": d("6"), "brokers": d("7"), "note": "a dollar too much"}
    source.tables["discrepancies"].append({"session_id": "s1", **found})
    load_session(store, source)
    page = render_report(store, "s1")
    events = page[page.index("Risk events") : page.index("Positions at the end")]
    for words in ("sell by stop", "discrepancy of cash", "a dollar too much", "session crashed"):
        assert words in events, words


def test_without_points_there_is_a_sentence() -> None:
    assert "Nothing to draw yet" in line_chart([Line("a", [])], "dollars")


@pytest.mark.thorough
def test_the_picture_of_a_session_stands_alone_and_names_its_lines(
    location: Path, day: Day
) -> None:
    day.buy("Alpha", "SPY", "10", "100")
    with Store.open(location) as store:
        load_session(store, day.source())
        svg = session_picture(store, day.session_id)
        nothing = session_picture(store, "no such session")
    drawn = ElementTree.fromstring(svg)  # noqa: S314
    words = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "Alpha" in words
    assert "UNASSIGNED" not in words
    assert list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))
    assert "var(" not in svg
    assert nothing == ""


@pytest.mark.thorough
def test_the_picture_names_each_coloured_line_in_full_and_counts_the_others(store: Store) -> None:
    names = [f"A_strategy_with_quite_a_long_name_{number:02}" for number in range(11)]
    day = Day(tickers={name: ["SPY"] for name in names})
    for name in names:
        day.activity(name, "dividend", "1")
    load_session(store, day.source())
    drawn = ElementTree.fromstring(session_picture(store, "s1"))  # noqa: S314
    words = [str(text.text) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [word for word in words if word[0] == "A"] == names[:8]
    assert words[-1] == "3 more"


def test_the_note_of_a_discrepancy_may_be_broken_into_lines_and_nothing_else_may() -> None:
    row = ("cash", d("-1.5"), "a sentence or two")
    cells = table(QueryResult(["kind", "net_pnl", "note"], [row])).partition("</th></tr>")[2]
    assert re.findall(r'class="(.*?)"', cells) == ["", "number bad", "wide"]


def test_the_days_of_strategies_are_a_grid_with_a_hole_where_one_had_no_session() -> None:
    monday, tuesday = date(2026, 3, 16), date(2026, 3, 17)
    shown = strategy_grid({"A": {monday: 2.0, tuesday: -1.0}, "B": {tuesday: 4.0}}, ["A", "B"])
    assert re.findall(r"<th[^>]*>(.*?)</th>", shown) == [
        *("strategy", "03-16", "03-17"),
        *("A", "B"),
    ]
    assert len(re.findall("<tr>", shown)) == 3
    assert all(words in shown for words in ("A, 2026-03-16", "A, 2026-03-17", "B, 2026-03-17"))
    assert "B, 2026-03-16" not in shown
    assert strategy_grid({}, ["A"]) == ""


def test_the_legend_names_each_coloured_line_and_counts_the_others() -> None:
    lines = [Line(f"strategy {n}", []) for n in range(40)]
    shown = legend(lines, Line("all strategies", []))
    named = re.findall(r"strategy \d+", shown)
    assert named == [line.name for line in lines[: len(named)]]
    assert 1 < len(named) < 40
    assert "all strategies" in shown
    assert f"{40 - len(named)} more" in shown
    assert "more" not in legend(lines[:2])
