-- Sessions of shadow strategies stand beside those of the account whose bars they follow.

COMMENT ON COLUMN sessions.mode IS 'paper, live, simulated, backtest or shadow; never sum across modes.';
COMMENT ON COLUMN sessions.account IS 'Broker account number, SH- before it for the simulated books of its shadows; never sum across accounts.';
