"""One coordinator per key, account and market, and per strategy, ensured by file locks.

The kernel releases a lock when its process dies, so there is nothing to clean up after a crash.
The files are in the user's own state directory, whatever MULTI_TRADER_HOME says, so that two homes
cannot trade one account twice.
"""

from __future__ import annotations

import fcntl
import os
import re
import resource
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from coordinator.errors import OperatorError, SafetyRefusal
from coordinator.shell.folders import file_name, private_folder

LEASES = Path(".multi-trader") / "leases"
LOOKS_S = 10 * (0.005,)
"""Local seconds after which a lease is tried again that somebody may only have looked at."""
MOST_FILES = 10_240
"""How many files may be open, if the system allows so many; macOS allows no more."""


def leases_folder(folder: Path | None = None) -> Path:
    """Where the lease files are: in the user's own folder, unless another is named."""
    return folder if folder is not None else Path.home() / LEASES


class LeaseHeld(SafetyRefusal):
    """Another coordinator trades this market with these keys already."""


class Leases:
    """The leases that one coordinator holds; leaving the context gives them back.

    One that it holds already is not taken again: a session may start more than once.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = leases_folder(folder)
        self._held = ExitStack()
        self._names: set[str] = set()

    def __enter__(self) -> Leases:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take_for_key(self, host: str, key_id: str, markets: Iterable[str]) -> None:
        """Take the leases of `key_id` at `host`, before any call goes out.

        Raises:
            LeaseHeld: another process has one of them.
            OperatorError: the folder of the leases cannot be made.
        """
        name = name_of_key(host, key_id)
        for market in markets:
            self._take(f"{name}-{market}", f"trades {market} with these keys at {host}")

    def take_for_account(self, account: str, markets: Iterable[str], *, host: str = "") -> None:
        """Take the leases of an account, once the broker has said which one the keys belong to.

        `host` tells the accounts of simulators apart; Alpaca's account numbers are unique.

        Raises:
            LeaseHeld: another process has one of them, perhaps with other keys.
        """
        for market in markets:
            self._take(
                f"{name_of_account(account, host)}-{market}",
                f"trades {market} with account {account}",
            )

    def take_for_coordinator(self, account: str, name: str, *, host: str = "") -> None:
        """Take the lease of a coordinator's name: its sessions on an account follow each other.

        Raises:
            SafetyRefusal: another process runs under this name on the account.
        """
        try:
            self._take(
                f"{name_of_account(account, host)}..{file_name(name)}",
                f"runs as {name} on account {account}",
            )
        except LeaseHeld as held:
            raise SafetyRefusal(
                f"{held} Or give this configuration another name: a name is one session a day."
            ) from None

    def take_for_strategies(self, account: str, names: Iterable[str], *, host: str = "") -> None:
        """Take the leases of strategies: a book has one coordinator, whatever markets it trades.

        Raises:
            SafetyRefusal: another process runs one of them on the account.
        """
        _allow_many_files()
        for name in names:
            try:
                self._take(
                    f"{name_of_account(account, host)}.{name}", f"runs {name} on account {account}"
                )
            except LeaseHeld as held:
                raise SafetyRefusal(
                    f"{held} Or give the strategy another name: each name is one book."
                ) from None

    def claim_strategies(self, account: str, names: Iterable[str], *, host: str) -> Leases:
        """Take the leases of strategies that join later, as `Leases` that can be given back alone.

        Raises:
            SafetyRefusal: another process runs one of them on the account; none was taken.
        """
        claim = Leases(self._folder)
        try:
            claim.take_for_strategies(account, names, host=host)
        except BaseException:
            claim.close()
            raise
        return claim

    def keep(self, claim: Leases) -> None:
        """Hold the claimed leases until these are closed."""
        self._held.callback(claim.close)

    def close(self) -> None:
        """Give all of them back."""
        self._held.close()
        self._names.clear()

    def _make_folder(self) -> None:
        try:
            private_folder(self._folder)
        except OSError as error:
            raise OperatorError(
                f"the folder of the leases, {self._folder}, cannot be made ({error.strerror}):"
                " without it two coordinators could trade one account. Let HOME name a folder that"
                " you may write to."
            ) from None

    def _take(self, name: str, action: str) -> None:
        if name in self._names:
            return
        self._make_folder()
        path = self._folder / f"{name}.lock"
        handle = self._held.enter_context(_opened(path))
        if not _locked(handle):
            holder = handle.read().strip() or "unknown"
            raise LeaseHeld(
                f"another coordinator (process {holder}) already {action}. Stop it first: two would"
                " place every order twice."
            )
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._names.add(name)


def is_running(account: str, folder: Path | None) -> bool:
    """Whether some process trades the account now, at whatever broker or simulator."""
    leases = leases_folder(folder)
    found = [*leases.glob(f"account-{account}-*.lock"), *leases.glob(f"account-*-{account}-*.lock")]
    return any(map(is_held, found))


def runs_as(account: str, name: str, folder: Path | None) -> bool:
    """Whether some process trades the account as the coordinator `name` now, at whatever broker."""
    leases = leases_folder(folder)
    ends = f"{account}..{file_name(name)}.lock"
    found = [*leases.glob(f"account-{ends}"), *leases.glob(f"account-*-{ends}")]
    return any(map(is_held, found))


def is_held(path: Path) -> bool:
    """Whether some process holds the lease of this file now."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:  # a simulated run has ended and removed it
        return False
    with os.fdopen(file) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def name_of_key(host: str, key_id: str) -> str:
    """The prefix of file names about a key at a host; the key cannot be read from it."""
    return "key-" + file_name(f"{host}\n{key_id}")


def name_of_account(account: str, host: str) -> str:
    """The prefix of file names about an account, `host` as in `take_for_account`."""
    return "account-" + re.sub(r"[^A-Za-z0-9_-]", "_", f"{host}-{account}" if host else account)


def _allow_many_files() -> None:
    """A lease is an open file, and a process may at first have 1024 of them, or 256 on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _locked(handle: IO[str]) -> bool:
    """Lock the file, unless another process holds it for longer than `is_held` takes to look."""
    for wait_s in (*LOOKS_S, 0.0):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(wait_s)
    return False


def _opened(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+")
