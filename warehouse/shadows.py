"""How simulated books that stand beside an account's are told from true ones.

The coordinator writes them so; the warehouse imports nothing of it, and a test holds both equal.
"""

from __future__ import annotations

MARK = " (shadow)"
"""Behind the name of a strategy whose fills were simulated beside a session."""
ACCOUNT = "SH-"
"""Before the number of the account beside which they stand."""
