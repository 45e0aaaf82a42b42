"""What reaches a session's loop beside bars and messages: somebody wants something of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from coordinator.core import messages as m


@dataclass(frozen=True, slots=True)
class Stop:
    """The session shall end; `lost` names a stream that ended by itself."""

    lost: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody asked for something, and waits for the answer."""

    asked: m.OperatorAsked
    answer: asyncio.Future[m.Answer]


@dataclass(frozen=True, slots=True)
class Change:
    """An edited configuration; when its turn comes, `asked` completes it with the newest bars."""

    asked: Callable[[datetime], m.Reload]
    answer: asyncio.Future[m.Answer]
