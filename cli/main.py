"""The entry of the `multi-trader` command, which imports little until signals are taken care of."""

from __future__ import annotations

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
    try:
        app(prog_name="multi-trader")
    except OSError as error:  # help and version are printed outside of every command
        complain(sentence(error))
        sys.exit(ANYTHING_ELSE)
    except KeyboardInterrupt:  # while the command was put together
        sys.exit(INTERRUPTED)
    finally:
        _on_ctrl_c(signal.SIG_DFL)


def _on_ctrl_c(handler: Callable[..., object] | signal.Handlers) -> None:
    """Install what Ctrl-C does, unless it is ignored, as in a shell's background."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


if __name__ == "__main__":
    main()
