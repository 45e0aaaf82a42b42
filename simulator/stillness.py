"""Whether the clients' processes are really idle, as far as Linux tells.

Rule: this can only make the clock wait longer, and only for a while. A client that got too little
processor time to answer looks as silent as one that has nothing to say; the scheduler knows the
difference. Where there is no /proc, or the client is on another machine, all counts as still and
real time alone decides.
"""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_ESTABLISHED = "01"
_BUSY_SHARE = 0.25  # of a look's length; a client that polls now and then stays well below
_WORKING = ("R", "D")  # running or wanting to, and waiting for a disk
_PATIENCE = 5  # waits in vain in a row, after which a client is taken for one that spins
_RESPITE = 30  # waits for which a spinning client is not looked at


@dataclass
class _Look:
    at_s: float
    spent_ns: dict[str, int] = field(default_factory=dict)
    working: bool = False


class Stillness:
    """Watches the processes at the other end of a port."""

    def __init__(self) -> None:
        self._own_thread = ""
        self._pids: set[int] = set()
        self._last: _Look | None = None
        self._in_vain = 0
        self._respite = 0

    def find(self, port: int) -> None:
        """Look up who is connected to `port`; call it when one has come, on the serving thread.

        That thread's own work does not count, should a client live in the same process.
        """
        self._own_thread = str(threading.get_native_id())
        try:
            inodes = _peer_inodes(port)
            self._pids = _owners(inodes) if inodes else set()
        except OSError:
            self._pids = set()

    def begin(self) -> None:
        """Start a look."""
        self._last = self._look() if self._is_watching() else None

    def is_still(self) -> bool:
        """Whether no client worked or waited for the processor since the last look."""
        before = self._last
        if before is None:
            return True
        now = self._last = self._look()
        spent = sum(
            max(0, ns - before.spent_ns.get(thread, 0)) for thread, ns in now.spent_ns.items()
        )
        return not now.working and spent < (now.at_s - before.at_s) * 1e9 * _BUSY_SHARE

    def tell(self, *, exhausted: bool) -> None:
        """How a wait ended: in stillness, or because its limit was reached."""
        self._respite = max(0, self._respite - 1)
        self._in_vain = self._in_vain + 1 if exhausted else 0
        if self._in_vain >= _PATIENCE:
            self._in_vain, self._respite = 0, _RESPITE

    def _is_watching(self) -> bool:
        return bool(self._pids) and not self._respite

    def _look(self) -> _Look:
        look = _Look(time.monotonic())
        for pid in self._pids:
            try:
                threads = os.listdir(_PROC / str(pid) / "task")
            except OSError:
                continue
            for thread in threads:
                if thread != self._own_thread:
                    self._add(look, _PROC / str(pid) / "task" / thread)
        return look

    def _add(self, look: _Look, folder: Path) -> None:
        try:
            run_ns, wait_ns = (folder / "schedstat").read_text().split()[:2]
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError, IndexError):
            return  # the thread has just ended
        look.spent_ns[folder.name] = int(run_ns) + int(wait_ns)
        look.working = look.working or state in _WORKING


def _peer_inodes(port: int) -> set[str]:
    """Inodes of the loopback sockets connected to `port`."""
    wanted = f":{port:04X}"
    found = set()
    for line in (_PROC / "net" / "tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[2].endswith(wanted) and words[3] == _ESTABLISHED:
            found.add(words[9])
    return found


def _owners(inodes: set[str]) -> set[int]:
    """Processes that hold any of these sockets."""
    links = {f"socket:[{inode}]" for inode in inodes}
    found = set()
    for entry in os.listdir(_PROC):
        if entry.isdecimal() and _holds(_PROC / entry / "fd", links):
            found.add(int(entry))
    return found


def _holds(folder: Path, links: set[str]) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(folder / name) in links:
                return True
        except OSError:
            continue
    return False
