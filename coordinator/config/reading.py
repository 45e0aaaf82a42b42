"""Reads a configuration from a file, a document or a Python program, and validates it whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coordinator.config.models import (
    LONGEST_NAME,
    AccountSettings,
    ConfigDocument,
    CoordinatorConfig,
    Feed,
    Mode,
    SharedSettings,
    StrategyConfig,
)
from coordinator.config.problems import (
    KNOWN,
    KNOWN_TO_PROGRAMS,
    STRATEGIES_DIR,
    Known,
    RuleMaker,
    conflicts,
    entries_of,
    nulls,
    problems_of,
    rule_for,
    window_problem,
    wrong_ticker_count,
)
from coordinator.config.sweeps import Expanded, sweeps_of, with_grid, wrong_sweeps
from coordinator.config.text import (
    ROOT,
    in_order,
    not_finite,
    path_to,
    read_document,
    read_file,
    repeated_keys,
)
from coordinator.errors import ConfigError, OperatorError, Problem
from coordinator.strategies.base import Strategy
from coordinator.strategies.frame import adapt
from coordinator.strategies.registry import StrategyTypes, registered_types

DEFAULT_NAME = "multi-trader"


def load_config(
    path: str | Path,
    strategies: Path | None = None,
    grid: Mapping[str, object] | None = None,
) -> CoordinatorConfig:
    """The configuration in a JSON file; its name defaults to the file's stem.

    `strategies` is a folder of strategies that replaces the file's `strategies_dir`; `grid` maps
    strategy names to sweeps that replace the file's.

    Raises:
        ConfigError: the file cannot be read, or is wrong; lists every problem in it.
    """
    return read_config(path, strategies, grid)[0]


def read_config(
    path: str | Path,
    strategies: Path | None = None,
    grid: Mapping[str, object] | None = None,
    maker: RuleMaker | None = None,
) -> tuple[CoordinatorConfig, str]:
    """Like `load_config`; also returns the SHA-256, in hex, of the file's bytes.

    With a `maker`, only it makes the strategies, and no user code runs in this process.

    Raises:
        ConfigError: as `load_config`.
    """
    file = Path(path)
    try:
        text = read_file(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(ROOT, f"cannot be read: {reason}; give the path of a JSON file")
        raise ConfigError(str(path), [problem]) from None
    document = read_document(text, str(path))
    types, problems = _offered(document, strategies, file.parent)
    if maker is not None:
        types.load_nothing()
    if grid:
        document, unknown_names = with_grid(document, grid)
        problems += unknown_names
    maker = maker or rule_for
    config = _assemble(document, _stem(file), str(path), types, problems=problems, maker=maker)
    return config, hashlib.sha256(text).hexdigest()


def parse_config(document: str | bytes | Mapping[str, Any], name: str) -> CoordinatorConfig:
    """The configuration in a JSON text or an already parsed document, with this default name.

    A relative `strategies_dir` in it starts at the working folder.

    Raises:
        ConfigError: lists every problem in it.
    """
    parsed = read_document(document, name) if isinstance(document, str | bytes) else document
    types, problems = _offered(parsed, None, Path())
    return _assemble(parsed, name, name, types, problems=problems)


def configure(
    strategies: Sequence[Mapping[str, Any]],
    *,
    name: str = DEFAULT_NAME,
    mode: str | Mode = Mode.PAPER,
    feed: str | Feed = Feed.IEX,
    **account: object,
) -> CoordinatorConfig:
    """The configuration of a Python program: entries as in a file, or with a `strategy` object.

    `account` holds the other keys of a file's root: crossing, crypto_fee_rate, controls.

    Raises:
        ConfigError: lists every problem in it.
    """
    given: dict[int, Strategy | None] = {}
    problems: list[Problem] = []
    entries: list[object] = []
    for index, entry in enumerate(strategies):
        if isinstance(entry, Mapping) and "strategy" in entry:
            entry = dict(entry)
            given[index], found = _given(index, entry)
            problems += found
        entries.append(entry)
    document = {"name": name, "mode": mode, "feed": feed, "strategies": entries, **account}
    return _assemble(document, name, "strategies", registered_types(), given, problems)


def default_config() -> CoordinatorConfig:
    """The five strategies that run when no configuration is named."""
    return parse_config(_DEFAULT, DEFAULT_NAME)


def config_hash(config: CoordinatorConfig) -> str:
    """SHA-256, in hex, of what the configuration means: key order and number format do not count.

    It covers the source text of strategies from a folder.
    """
    document = config.as_document()
    sources = {one.name: one.strategy.source_digest for one in config.strategies}
    if any(sources.values()):
        document["sources"] = sources
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _given(index: int, entry: dict[str, Any]) -> tuple[Strategy | None, list[Problem]]:
    """Take the `strategy` object out of an entry of a Python program."""
    candidate = entry.pop("strategy")
    problems = [
        Problem(path_to(("strategies", index, key)), "stands beside a strategy object; drop one")
        for key in ("strategy_type", "strategy_params")
        if key in entry
    ]
    entry.setdefault("strategy_type", "object")
    try:
        return adapt(candidate), problems
    except OperatorError as error:
        return None, [*problems, Problem(path_to(("strategies", index, "strategy")), str(error))]


def _offered(
    document: object, folder: Path | None, config_folder: Path
) -> tuple[StrategyTypes, list[Problem]]:
    """The strategy types that a document may name, with those of its folder or of `folder`."""
    source = STRATEGIES_DIR if folder is None else "--strategies"
    named = document.get(STRATEGIES_DIR) if isinstance(document, Mapping) else None
    if folder is None and isinstance(named, str) and named and "\0" not in named:
        folder = config_folder / os.path.expanduser(named)
    try:
        return registered_types(folder), []
    except OperatorError as error:
        return StrategyTypes((), (), is_whole=False), [Problem(source, str(error))]


def _assemble(
    document: object,
    name: str,
    source: str,
    types: StrategyTypes,
    given: Mapping[int, Strategy | None] | None = None,
    problems: Iterable[Problem] = (),
    maker: RuleMaker = rule_for,
) -> CoordinatorConfig:
    """Validate a document; `problems` were found before.

    `given` are a Python program's ready strategies by entry; None for a file.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(source, [Problem(ROOT, 'should be an object: {"strategies": [...]}')])
    entries = entries_of(document)
    rules, sweeps, found = _rules_of(entries, types, given or {}, maker)
    parsed, misfits = _parsed(document, KNOWN if given is None else KNOWN_TO_PROGRAMS)
    found = [*problems, *found, *misfits, *conflicts(document)]
    reported = {problem.path for problem in found}
    more = nulls(document) + not_finite(document)
    found += [problem for problem in more if problem.path not in reported]
    found += repeated_keys(document)
    if parsed is None or found:
        raise ConfigError(source, in_order(found))
    return _configured(parsed, name, rules, sweeps)


def _rules_of(
    entries: Sequence[tuple[int, Mapping[str, Any]]],
    types: StrategyTypes,
    given: Mapping[int, Strategy | None],
    maker: RuleMaker,
) -> tuple[dict[int, Strategy | None], dict[int, Expanded], list[Problem]]:
    """The strategies that the entries name, or their sweeps, by entry; and what is wrong there."""
    rules, found = dict(given), list[Problem]()
    sweeps = sweeps_of(entries, rules, types)
    for index, entry in entries:
        if index not in rules and index not in sweeps:
            rules[index], wrong = maker(index, entry, types)
            found += wrong
    for index, rule in rules.items():
        found += window_problem(index, rule)
    for index, entry in entries:
        place = ("strategies", index, "tickers")
        found += wrong_ticker_count(rules.get(index), entry.get("tickers"), place)
    return rules, sweeps, found + wrong_sweeps(entries, sweeps)


def _parsed(
    document: Mapping[str, Any], known: Known
) -> tuple[ConfigDocument | None, list[Problem]]:
    """The document by its model, or what the model finds wrong; `known` are the allowed keys."""
    try:
        return ConfigDocument.model_validate(_with_tickers(document)), []
    except ValidationError as error:
        return None, problems_of(error, known)


def _with_tickers(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document for its model, which requires tickers: an entry that sweeps them gets some."""
    whole = dict(document)
    entries = whole.get("strategies")
    if isinstance(entries, list | tuple):
        whole["strategies"] = [
            {"tickers": ("SPY",), **entry} if _sweeps_tickers(entry) else entry for entry in entries
        ]
    return whole


def _sweeps_tickers(entry: object) -> bool:
    sweep = entry.get("sweep") if isinstance(entry, Mapping) else None
    return isinstance(sweep, Mapping) and "tickers" in sweep


def _configured(
    parsed: ConfigDocument,
    stem: str,
    rules: Mapping[int, Strategy | None],
    sweeps: Mapping[int, Expanded],
) -> CoordinatorConfig:
    strategies: list[StrategyConfig] = []
    for index, entry in enumerate(parsed.strategies):
        shared = {name: getattr(entry, name) for name in SharedSettings.model_fields}
        if index not in sweeps:
            strategies.append(StrategyConfig.model_validate(shared | {"strategy": rules[index]}))
            continue
        limits = entry.risk_config.model_dump()
        strategies += (
            StrategyConfig.model_validate(
                {
                    **shared,
                    **one.settings,
                    "risk_config": {**limits, **one.limits},
                    "name": one.name,
                    "strategy": one.rule,
                    "sweep_of": entry.name,
                    "swept": one.swept,
                }
            )
            for one in sweeps[index].variants
        )
    account = {name: getattr(parsed, name) for name in AccountSettings.model_fields}
    left_out = sum(sweep.left_out for sweep in sweeps.values())
    return CoordinatorConfig(
        name=parsed.name or stem, strategies=tuple(strategies), left_out=left_out, **account
    )


def _stem(file: Path) -> str:
    """The file's stem as a name: underscores for unprintable characters, and not too long."""
    printable = "".join(char if char.isprintable() else "_" for char in file.stem)
    return printable.encode()[:LONGEST_NAME].decode(errors="ignore")


_DEFAULT: dict[str, Any] = {
    "strategies": [
        {
            "name": "SPY_Adaptive",
            "strategy_type": "adaptive",
            "tickers": ["SPY"],
            "risk_config": {"max_position_size": 0.95, "max_daily_trades": 20},
        },
        {
            "name": "QQQ_Momentum",
            "strategy_type": "momentum",
            "strategy_params": {"lookback_period": 20, "momentum_threshold": 0.002},
            "tickers": ["QQQ"],
            "risk_config": {"max_position_size": 0.95, "max_daily_trades": 20},
        },
        {
            "name": "IWM_RSI",
            "strategy_type": "rsi",
            "tickers": ["IWM"],
            "risk_config": {"max_position_size": 0.95, "max_daily_trades": 20},
        },
        {
            "name": "Tech_Basket",
            "strategy_type": "adaptive",
            "tickers": ["AAPL", "MSFT", "GOOGL", "AMZN"],
            "initial_cash": 20000.0,
            "risk_config": {"max_position_size": 0.25, "max_daily_trades": 40},
        },
        {
            "name": "BTC_Momentum",
            "strategy_type": "momentum",
            "strategy_params": {"lookback_period": 30, "momentum_threshold": 0.003},
            "tickers": ["BTC/USD"],
            "risk_config": {"max_position_size": 0.5, "max_daily_trades": 20},
        },
    ]
}
"""What `run` trades without a configuration; its thresholds suit one-minute bars."""
