"""The entry of the `multi-trader` command, which imports little until signals are taken care of."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

from cli.early import keep_signals


def main() -> None:
    """Run the command in `sys.argv` and exit with its exit code."""
    if sys.argv[1:2] == ["run"]:
        keep_signals()
    _on_ctrl_c(signal.SIG_DFL)  # nothing is done yet: end, without the traceback of an import
    from cli.app import app
    from cli.faults import ANYTHING_ELSE, INTERRUPTED, complain, sentence
    from coordinator.private import keep_private

    keep_private()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # an unknown character must not lose the line
    _on_ctrl_c(signal.default_int_handler)
    code: str | int | None = None
    try:
        app(prog_name="multi-trader")
    except SystemExit as ended:
        code = ended.code
    except OSError as error:  # help and version are printed outside of every command
        complain(sentence(error))
        code = ANYTHING_ELSE
    except KeyboardInterrupt:  # while the command was put together
        code = INTERRUPTED
    finally:
        _on_ctrl_c(signal.SIG_DFL)
    lost = _lost_output()
    if lost is not None and not code:
        code = ANYTHING_ELSE
        if lost.errno != errno.EPIPE:  # who closed the pipe, such as `head`, has what it wanted
            complain(sentence(lost))
    sys.exit(code)


def _lost_output() -> OSError | None:
    """The error that keeps the last of the output from being written; None if nothing does.

    Python would find it only while it exits, and then print lines of its own and exit with 120.
    """
    if sys.stdout is None:  # it was closed before the start
        return None
    try:
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what waits goes there when Python flushes again
        os.close(nowhere)
        return error
    return None


def _on_ctrl_c(handler: Callable[..., object] | signal.Handlers) -> None:
    """Install what Ctrl-C does, unless it is ignored, as in a shell's background."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


if __name__ == "__main__":
    main()
