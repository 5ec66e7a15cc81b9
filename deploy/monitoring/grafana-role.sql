-- The role with which Grafana shows one batch: counters, money and calls, but no prompt, answer, key or name of a file.
--   psql --set password=… --file deploy/monitoring/grafana-role.sql "$WAYBILL_STORE_URL"
CREATE ROLE grafana LOGIN PASSWORD :'password';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '10s';
GRANT SELECT (no, id, status, total, embedded, routed, succeeded, failed, cancelled, calls, duplicates, reused, cache_hits,
              spent, reserved, budget, saved, created_at, finished_at) ON batch TO grafana;
GRANT SELECT (batch_no, model, state, cost, error_code, latency_ms, prompt_tokens, completion_tokens, sent_at)
    ON attempt TO grafana;
