"""Log lines on stderr in the guide's format: `2025-12-04 14:30:15 [INFO] message`.

Results of commands go to stdout. Connection libraries never log below INFO, since at DEBUG they
print the frame that carries the keys.
"""

from __future__ import annotations

import logging
import sys

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
OURS = ("cli", "coordinator", "simulator", "warehouse")
NEVER_BELOW_INFO = ("alpaca", "websockets", "urllib3", "uvicorn", "asyncio")


def configure_logging(level: str) -> None:
    """Send log records of `level` (one of LEVELS) and above to stderr, in the guide's format.

    The coordinator's loggers always emit records from INFO on, for its log files and for `top`.
    Loggers of other packages emit from WARNING on, or from INFO if `level` is DEBUG.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s [%(levelname)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    )
    handler.setLevel(level)
    others = logging.INFO if level == "DEBUG" else max(logging.WARNING, logging.getLevelName(level))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(others)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    logging.getLogger("coordinator").setLevel(min(logging.INFO, logging.getLevelName(level)))
    for name in NEVER_BELOW_INFO:
        logging.getLogger(name).setLevel(max(logging.INFO, others))
