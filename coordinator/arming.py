"""Real money needs the configuration's word and the command's; neither alone suffices."""

from __future__ import annotations

from coordinator.config import CoordinatorConfig, Mode
from coordinator.errors import SafetyRefusal


def refuse_half_armed(config: CoordinatorConfig, *, live: bool, simulated: bool) -> None:
    """Refuse what only one of the two has armed; a simulated run risks nothing.

    Raises:
        SafetyRefusal: with what is missing.
    """
    if config.mode is Mode.LIVE and not live and not simulated:
        raise SafetyRefusal(
            'the configuration says "mode": "live", but --live was not given. Real money needs'
            " both, and MULTI_TRADER_ALLOW_LIVE set to the account's number."
        )
    if live and config.mode is not Mode.LIVE:
        raise SafetyRefusal(
            '--live was given, but the configuration does not say "mode": "live". Real money'
            " needs both, and MULTI_TRADER_ALLOW_LIVE set to the account's number."
        )
