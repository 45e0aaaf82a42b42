"""The proofs of Multi-Trader, in folders that mirror the packages they prove."""
