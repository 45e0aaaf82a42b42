"""The marks of shadow strategies: simulated books beside those of an account.

The coordinator writes the same marks; the warehouse does not import it, and a test compares both.
"""

from __future__ import annotations

MARK = " (shadow)"
"""The suffix of a strategy's name if its fills were simulated beside a session."""
ACCOUNT = "SH-"
"""The prefix of the account number beside which they are simulated."""
