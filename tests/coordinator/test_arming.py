"""What no session may trade is refused before any call goes out."""

from __future__ import annotations

import re

import pytest

from coordinator.arming import refuse_untradable
from coordinator.config import parse_config
from coordinator.errors import OperatorError


def strategy(name: str, *tickers: str, **more: object) -> dict[str, object]:
    return {"name": name, "strategy_type": "momentum", "tickers": list(tickers), **more}


@pytest.mark.parametrize(
    ("tickers", "refused"),
    [
        (["BTC/USD"], ""),
        (["SPY", "USDT/USD"], ""),
        (["BTC/USDT"], "BTC/USDT:"),
        (["ETH/BTC", "BTC/USD", "ETH/USDC"], "ETH/BTC, ETH/USDC:"),
    ],
)
def test_a_pair_that_moves_no_dollars_is_traded_in_a_simulated_session_alone(
    tickers: list[str], refused: str
) -> None:
    config = parse_config({"strategies": [strategy("A", *tickers)]}, "test")
    refuse_untradable(config, simulated=True)
    if not refused:
        refuse_untradable(config, simulated=False)
        return
    with pytest.raises(OperatorError, match=f"^{re.escape(refused)}") as refusal:
        refuse_untradable(config, simulated=False)
    assert refusal.value.exit_code == 2


def test_a_pair_that_moves_no_dollars_may_be_watched_or_stand_switched_off() -> None:
    def accepts(**more: object) -> bool:
        other = strategy("Ghost", "ETH/BTC", **more)
        document = {"strategies": [strategy("A", "BTC/USD"), other]}
        try:
            refuse_untradable(parse_config(document, "test"), simulated=False)
        except OperatorError:
            return False
        return True

    assert (accepts(mode="shadow"), accepts(enabled=False), accepts()) == (True, True, False)
