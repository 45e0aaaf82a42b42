CREATE OR REPLACE VIEW v_exposure AS
SELECT d.account, d.mode, d.session_date, d.session_id, d.strategy, p.symbol,
       coalesce(p.qty, 0) AS qty, p.mark_price, coalesce(p.market_value, 0) AS market_value,
       d.end_equity AS equity,
       coalesce(p.market_value, 0)::DOUBLE / nullif(d.end_equity, 0)::DOUBLE AS exposure,
       w.average AS average_exposure, w.highest AS highest_exposure, d.began_at
FROM stg_days AS d
LEFT JOIN (SELECT * FROM positions WHERE qty <> 0) AS p USING (session_id, strategy)
LEFT JOIN exposures AS w USING (session_id, strategy)
ANTI JOIN (SELECT * FROM variants WHERE details = 'none') AS v USING (session_id, strategy);
COMMENT ON VIEW v_exposure IS 'What each strategy held at the end of each session, a row per symbol; one row with a NULL symbol where it held nothing. Variants of a sweep only where their details are kept.';
COMMENT ON COLUMN v_exposure.exposure IS 'market_value / equity of the strategy at the end, as a fraction.';
COMMENT ON COLUMN v_exposure.average_exposure IS 'Mean of market_value / equity over the rows of the session, all symbols together.';
COMMENT ON COLUMN v_exposure.highest_exposure IS 'Highest market_value / equity within the session, all symbols together.';
COMMENT ON COLUMN v_exposure.qty IS 'Quantity held at the end.';
COMMENT ON COLUMN v_exposure.symbol IS 'What was held, as configured; NULL where nothing was.';
COMMENT ON COLUMN v_exposure.equity IS 'Cash and all positions of the strategy at the end, dollars; the same in each of its rows.';
COMMENT ON COLUMN v_exposure.began_at IS 'When the strategy was in the session first.';
