-- What each table and column means, so that DESCRIBE's neighbours (duckdb_tables, duckdb_columns) teach.

COMMENT ON TABLE sessions IS 'One row per trading session of one coordinator on one account. Join the others on session_id.';
COMMENT ON COLUMN sessions.session_id IS 'Identity of the session; a restart on the same account, coordinator and date resumes it.';
COMMENT ON COLUMN sessions.coordinator IS 'Name of the coordinator, from its configuration.';
COMMENT ON COLUMN sessions.account IS 'Broker account number; never sum across accounts.';
COMMENT ON COLUMN sessions.mode IS 'paper, live, simulated or backtest; never sum across modes.';
COMMENT ON COLUMN sessions.session_date IS 'The exchange''s date where stocks are traded, else the UTC date of the start.';
COMMENT ON COLUMN sessions.opened_at IS 'When the session started, by the broker''s clock.';
COMMENT ON COLUMN sessions.closed_at IS 'When it ended; NULL while it runs or if it never ended cleanly.';
COMMENT ON COLUMN sessions.status IS 'open, closed, stopped_early, cancelled or crashed; incomplete when rows of it are in quarantine.';
COMMENT ON COLUMN sessions.config_hash IS 'Fingerprint of the configuration that it ran with.';

COMMENT ON TABLE strategies IS 'The strategies of a session with their parameters; UNASSIGNED is what no strategy owns.';
COMMENT ON COLUMN strategies.session_id IS 'The session.';
COMMENT ON COLUMN strategies.strategy IS 'Unique name of the strategy, or UNASSIGNED.';
COMMENT ON COLUMN strategies.strategy_type IS 'Registered type: momentum, rsi, mean_reversion, adaptive, or a user''s own.';
COMMENT ON COLUMN strategies.params IS 'Parameters of the strategy, as JSON.';
COMMENT ON COLUMN strategies.tickers IS 'Symbols that it trades, in the configured order.';
COMMENT ON COLUMN strategies.initial_cash IS 'Dollars that it began with when its book was first opened.';

COMMENT ON TABLE bars IS 'One-minute bars as the coordinator saw them; shared by all sessions of an account.';
COMMENT ON COLUMN bars.account IS 'Broker account number.';
COMMENT ON COLUMN bars.feed IS 'Data feed: iex, sip, crypto.';
COMMENT ON COLUMN bars.symbol IS 'As configured, e.g. SPY or BTC/USD.';
COMMENT ON COLUMN bars.ts IS 'Start of the bar.';
COMMENT ON COLUMN bars.open IS 'First price, dollars.';
COMMENT ON COLUMN bars.high IS 'Highest price, dollars.';
COMMENT ON COLUMN bars.low IS 'Lowest price, dollars.';
COMMENT ON COLUMN bars.close IS 'Last price, dollars.';
COMMENT ON COLUMN bars.volume IS 'Quantity that changed hands.';
COMMENT ON COLUMN bars.trade_count IS 'Number of market prints in the bar.';
COMMENT ON COLUMN bars.vwap IS 'Volume-weighted average price, dollars.';
COMMENT ON COLUMN bars.origin IS 'backfill, live or corrected; corrected beats live beats backfill.';

COMMENT ON TABLE orders IS 'Every order that was decided, sent or denied; one row with its last known state.';
COMMENT ON COLUMN orders.client_order_id IS 'Our own id: <strategy>.<session date>.<sequence>.';
COMMENT ON COLUMN orders.session_id IS 'The session.';
COMMENT ON COLUMN orders.broker_order_id IS 'The broker''s id; NULL if it never answered.';
COMMENT ON COLUMN orders.strategy IS 'Owner, or UNASSIGNED for an order by hand.';
COMMENT ON COLUMN orders.symbol IS 'As configured.';
COMMENT ON COLUMN orders.side IS 'buy or sell.';
COMMENT ON COLUMN orders.qty IS 'Ordered quantity; NULL for an order by hand in dollars.';
COMMENT ON COLUMN orders.filled_qty IS 'Quantity executed, busts taken off.';
COMMENT ON COLUMN orders.filled_avg_price IS 'Average price of the executions, dollars, as the broker reports it.';
COMMENT ON COLUMN orders.status IS 'Alpaca''s lower-case words, plus denied (by our own risk limits) and unknown (fate not settled).';
COMMENT ON COLUMN orders.reason IS 'Why it was decided, denied or rejected.';
COMMENT ON COLUMN orders.decision_price IS 'Close of the bar that decided the order, dollars.';
COMMENT ON COLUMN orders.decided_at IS 'End of the bar that decided the order.';
COMMENT ON COLUMN orders.submitted_at IS 'When the broker took it.';
COMMENT ON COLUMN orders.closed_at IS 'When it reached its end.';

COMMENT ON TABLE fills IS 'Executions: the ground truth of every number here. A bust is a second row of the opposite sign.';
COMMENT ON COLUMN fills.execution_id IS 'The broker''s id of the execution.';
COMMENT ON COLUMN fills.session_id IS 'The session.';
COMMENT ON COLUMN fills.client_order_id IS 'The order that was executed.';
COMMENT ON COLUMN fills.session_date IS 'Date of the session.';
COMMENT ON COLUMN fills.strategy IS 'Owner of the execution; exactly one.';
COMMENT ON COLUMN fills.symbol IS 'As configured.';
COMMENT ON COLUMN fills.side IS 'buy or sell, of the order.';
COMMENT ON COLUMN fills.qty IS 'Gross quantity, before a fee taken in coin; negative in a bust.';
COMMENT ON COLUMN fills.price IS 'Price, dollars.';
COMMENT ON COLUMN fills.fee IS 'Fee in dollars; a fee taken in coin is valued at this price. Opposite sign in a bust.';
COMMENT ON COLUMN fills.filled_at IS 'When it happened, by the broker''s clock.';

COMMENT ON TABLE activities IS 'What moved a book besides fills: dividends, interest, fees, transfers, splits, rounding.';
COMMENT ON COLUMN activities.activity_id IS 'The broker''s id, or ours for a transfer or rounding.';
COMMENT ON COLUMN activities.session_id IS 'The session.';
COMMENT ON COLUMN activities.session_date IS 'Date that it counts for.';
COMMENT ON COLUMN activities.strategy IS 'The book that it moved.';
COMMENT ON COLUMN activities.kind IS 'dividend, interest, fee, transfer, split or rounding.';
COMMENT ON COLUMN activities.symbol IS 'Symbol, if it concerns one.';
COMMENT ON COLUMN activities.qty IS 'Quantity added to the position (negative: taken away); for a split the difference.';
COMMENT ON COLUMN activities.amount IS 'Dollars added to the book (negative: taken away, so a fee is negative).';
COMMENT ON COLUMN activities.allocated_by IS 'How an account-level amount was split among strategies; NULL if it was not.';

COMMENT ON TABLE positions IS 'Positions at the end of the session.';
COMMENT ON COLUMN positions.session_id IS 'The session.';
COMMENT ON COLUMN positions.strategy IS 'Owner.';
COMMENT ON COLUMN positions.symbol IS 'As configured.';
COMMENT ON COLUMN positions.qty IS 'Quantity held.';
COMMENT ON COLUMN positions.avg_price IS 'Average entry price without fees, dollars.';
COMMENT ON COLUMN positions.mark_price IS 'Last close, dollars.';
COMMENT ON COLUMN positions.market_value IS 'qty x mark_price, dollars.';
COMMENT ON COLUMN positions.unrealized_pnl IS 'market_value less the position''s cost, dollars.';

COMMENT ON TABLE pnl_daily IS 'Profit and loss of each strategy in each session: net_pnl = end_equity - start_equity - transfers = realized_pnl + unrealized_change - fees, exactly.';
COMMENT ON COLUMN pnl_daily.session_date IS 'Date of the session.';
COMMENT ON COLUMN pnl_daily.session_id IS 'The session.';
COMMENT ON COLUMN pnl_daily.strategy IS 'Owner, or UNASSIGNED.';
COMMENT ON COLUMN pnl_daily.start_equity IS 'End equity of the day before (initial_cash on the first), dollars.';
COMMENT ON COLUMN pnl_daily.end_equity IS 'Cash plus positions at the last close, dollars.';
COMMENT ON COLUMN pnl_daily.transfers IS 'Dollars moved in (negative: out) during the day.';
COMMENT ON COLUMN pnl_daily.realized_pnl IS 'Realised gains and losses at average cost, dividends and interest included, before fees, dollars.';
COMMENT ON COLUMN pnl_daily.unrealized_change IS 'Change of unrealised gains and losses over the day, dollars.';
COMMENT ON COLUMN pnl_daily.fees IS 'Fees of the fills plus fee activities, dollars; positive costs.';
COMMENT ON COLUMN pnl_daily.net_pnl IS 'Gain or loss of the day after fees, dollars.';
COMMENT ON COLUMN pnl_daily.return_pct IS 'net_pnl / (start_equity + transfers) as a fraction: 0.025 is 2.5 %. NULL without capital.';
COMMENT ON COLUMN pnl_daily.fills IS 'Number of executions.';
COMMENT ON COLUMN pnl_daily.max_drawdown IS 'Largest fall of equity from its peak within the session, as a fraction >= 0.';

COMMENT ON TABLE equity IS 'Equity of each strategy, a row per minute in which cash or a held mark changed, and the first and last.';
COMMENT ON COLUMN equity.session_id IS 'The session.';
COMMENT ON COLUMN equity.strategy IS 'Owner, or UNASSIGNED.';
COMMENT ON COLUMN equity.ts IS 'End of the minute.';
COMMENT ON COLUMN equity.cash IS 'Dollars.';
COMMENT ON COLUMN equity.market_value IS 'Positions at the latest closes, dollars.';
COMMENT ON COLUMN equity.equity IS 'cash + market_value, dollars.';

COMMENT ON TABLE discrepancies IS 'Differences between our books and the broker''s, and what became of them. Empty is good.';
COMMENT ON COLUMN discrepancies.session_id IS 'The session.';
COMMENT ON COLUMN discrepancies.found_at IS 'When it was found.';
COMMENT ON COLUMN discrepancies.kind IS 'What differed.';
COMMENT ON COLUMN discrepancies.symbol IS 'Symbol, if it concerns one.';
COMMENT ON COLUMN discrepancies.strategy IS 'Strategy, if it concerns one.';
COMMENT ON COLUMN discrepancies.ours IS 'Our figure (quantity or dollars).';
COMMENT ON COLUMN discrepancies.brokers IS 'The broker''s figure.';
COMMENT ON COLUMN discrepancies.note IS 'In words.';

COMMENT ON TABLE quarantine IS 'Rows that were refused, with the reason; a session with rows here is incomplete. A repaired load empties it.';
COMMENT ON COLUMN quarantine.session_id IS 'The session.';
COMMENT ON COLUMN quarantine.table_name IS 'The table that refused the row.';
COMMENT ON COLUMN quarantine.reason IS 'Table, column, row and what is wrong.';
COMMENT ON COLUMN quarantine."row" IS 'The refused row, as JSON.';
COMMENT ON COLUMN quarantine.quarantined_at IS 'When it was refused.';

COMMENT ON TABLE round_trips IS 'Quantities bought and sold again, first in first out; kept by the loader from fills and splits. Read v_round_trips.';
COMMENT ON COLUMN round_trips.session_id IS 'Session of the exit.';
COMMENT ON COLUMN round_trips.strategy IS 'Owner.';
COMMENT ON COLUMN round_trips.symbol IS 'As configured.';
COMMENT ON COLUMN round_trips.qty IS 'Quantity, in units of the exit.';
COMMENT ON COLUMN round_trips.entry_price IS 'Price paid, in units of the exit, dollars.';
COMMENT ON COLUMN round_trips.exit_price IS 'Price received, dollars.';
COMMENT ON COLUMN round_trips.entered_at IS 'When it was bought.';
COMMENT ON COLUMN round_trips.exited_at IS 'When it was sold.';
COMMENT ON COLUMN round_trips.gross_pnl IS 'Gain or loss before fees, dollars.';
COMMENT ON COLUMN round_trips.fees IS 'Share of both executions'' fees, dollars.';
COMMENT ON COLUMN round_trips.entry_execution_id IS 'The execution that bought it.';
COMMENT ON COLUMN round_trips.exit_execution_id IS 'The execution that sold it.';

COMMENT ON TABLE open_lots IS 'What was bought and not yet sold at the end of each session, oldest first; kept by the loader for the next session''s matching.';
COMMENT ON COLUMN open_lots.session_id IS 'The session at whose end the lot was open.';
COMMENT ON COLUMN open_lots.strategy IS 'Owner.';
COMMENT ON COLUMN open_lots.symbol IS 'As configured.';
COMMENT ON COLUMN open_lots.place IS 'Order in which lots are sold, from 1.';
COMMENT ON COLUMN open_lots.qty IS 'Quantity still open, after a fee taken in coin.';
COMMENT ON COLUMN open_lots.price IS 'Price paid, in today''s units, dollars.';
COMMENT ON COLUMN open_lots.fee IS 'The fee that belongs to it, dollars.';
COMMENT ON COLUMN open_lots.filled_at IS 'When it was bought.';
COMMENT ON COLUMN open_lots.execution_id IS 'The execution that bought it.';

COMMENT ON TABLE loads IS 'The loader''s own record of each session.';
COMMENT ON COLUMN loads.session_id IS 'The session.';
COMMENT ON COLUMN loads.mark IS 'State of the journal that was loaded; another mark means that there is more to load.';
COMMENT ON COLUMN loads.status IS 'loaded or incomplete.';
COMMENT ON COLUMN loads.content_hash IS 'Fingerprint of the rows; equal rows, equal fingerprint.';
COMMENT ON COLUMN loads.row_counts IS 'Rows per table, as JSON.';
COMMENT ON COLUMN loads.restatements IS 'How often a later load changed the session''s rows.';
COMMENT ON COLUMN loads.loaded_at IS 'When it was last loaded.';
