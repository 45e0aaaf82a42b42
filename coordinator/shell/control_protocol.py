"""The control socket's protocol, one JSON line in and one JSON line out, and where the socket is.

Each coordinator that trades leaves an address file in its account's `control` folder. The socket
lies beside it or, where that path would be too long for a socket, in a private folder of the user
elsewhere; the address file says which.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coordinator.core.explanation import Explanation
from coordinator.core.live_view import LiveView
from coordinator.core.values import NAME_PATTERN, SYMBOL_PATTERN
from coordinator.shell.folders import file_name, private_folder
from coordinator.shell.recent import Event

FOLDER = "control"
LONGEST_PATH = 103
"""Bytes of a socket's path that every system accepts."""
MOST_REQUEST_BYTES = 4096
MOST_REPLY_BYTES = 4 * 1024 * 1024
"""Enough for a status of hundreds of strategies."""
OF_ONE = frozenset({"pause", "resume", "flatten", "explain"})
"""Requests that name one strategy."""

Do = Literal["status", "explain", "pause", "resume", "flatten", "kill", "revive", "reload"]


class Request(BaseModel):
    """One request and who makes it; `strategy` is set for the requests in OF_ONE.

    `ticker` restricts an explanation to one ticker. `config`, `remove` and `token` belong to a
    reload: the file, what to do with the positions of removed strategies, and the confirmation.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    do: Do
    by: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    strategy: Annotated[str, Field(pattern=f"^({NAME_PATTERN.pattern})?$")] = ""
    ticker: Annotated[str, Field(pattern=f"^({SYMBOL_PATTERN.pattern})?$")] = ""
    config: Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    remove: Literal["flatten", "dormant"] = "dormant"
    token: Annotated[str, Field(pattern="^[0-9a-f]{0,32}$")] = ""

    @model_validator(mode="after")
    def _names_one(self) -> Request:
        if bool(self.strategy) is not (self.do in OF_ONE):
            raise ValueError(f"{self.do} is of {'a' if self.do in OF_ONE else 'no'} strategy")
        if self.ticker and self.do != "explain":
            raise ValueError(f"{self.do} is of no ticker")
        if (self.config or self.token) and self.do != "reload":
            raise ValueError(f"{self.do} is of no configuration")
        return self


class Reply(BaseModel):
    """The answer to a request: whether it was `done`, and `said`, a sentence for the operator."""

    model_config = ConfigDict(frozen=True)

    done: bool
    said: str
    status: LiveView | None = None
    explained: tuple[Explanation, ...] = ()
    events: tuple[Event, ...] = ()
    changes: tuple[str, ...] = ()
    token: str = ""


class Address(BaseModel):
    """Where the coordinator of this name can be reached.

    `simulator` is the URL of the simulator that it trades at, '' at Alpaca; its clock runs up to
    `clock_speed` times as fast as ours.
    """

    model_config = ConfigDict(frozen=True)

    coordinator: str
    socket: Path
    simulator: str = ""
    clock_speed: float = 1.0


def line(message: Request | Reply | Address) -> bytes:
    """A message as one line for the socket or the address file."""
    return message.model_dump_json().encode() + b"\n"


def complaint(error: ValidationError) -> str:
    """What is wrong with a request, without echoing its content."""
    parts = [
        f"{'.'.join(map(str, one['loc'])) or 'request'}: {one['msg']}" for one in error.errors()
    ]
    return "; ".join(parts[:3])


def address_file(account: Path, coordinator: str) -> Path:
    """The address file of a coordinator; `account` is the account's state folder."""
    return account / FOLDER / f"{file_name(coordinator)}.json"


def socket_path(file: Path, environment: Mapping[str, str]) -> Path:
    """The socket's path: beside its address file, or in the user's own runtime folder."""
    beside = file.with_suffix(".sock")
    if _fits(beside):
        return beside
    return _runtime_folder(environment) / f"{file_name(str(file.resolve()))}.sock"


def guarded(folder: Path) -> Path:
    """Make a folder that only this user can enter, if it is missing; returns it.

    Raises:
        PermissionError: it is no folder, or belongs to another user.
    """
    private_folder(folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    folder.chmod(0o700)
    return folder


def addresses(account: Path) -> Iterator[Address]:
    """The addresses that coordinators of an account have left, alive or not, by file name."""
    for file in sorted((account / FOLDER).glob("*.json")):
        try:
            yield Address.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue  # removed meanwhile, or incomplete: nobody listens there


def _runtime_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("XDG_RUNTIME_DIR", "")
    folder = Path(given) / "multi-trader"
    if given and Path(given).is_dir() and _fits(folder / f"{file_name('')}.sock"):
        return folder
    return Path.home() / ".multi-trader" / "run"


def _fits(path: Path) -> bool:
    return len(os.fsencode(path.absolute())) <= LONGEST_PATH
