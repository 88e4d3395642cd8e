-- Every source that is configured or known to the store: its newest batch and request, what waits, and its open alert.
WITH named AS (
  SELECT unnest(%(configured)s::text[]) AS source
  UNION SELECT source FROM llmmon.source_cursor
  UNION SELECT source FROM llmmon.ingest_batch
)
SELECT n.source,
       newest.batch_id, newest.loaded_at, newest.n_in, newest.state, newest.gate_passed,
       reach.last_occurred_at,
       waiting.n_quarantined,
       held.n_batches AS n_held_batches, held.n_rows AS n_held_rows, held.since AS held_since,
       alert.alert_id
  FROM named n
  LEFT JOIN LATERAL (
        SELECT batch_id, loaded_at, n_in, state, (gate ->> 'success')::boolean AS gate_passed
          FROM llmmon.ingest_batch
         WHERE source = n.source AND n_from_quarantine = 0
         ORDER BY batch_id DESC
         LIMIT 1) newest ON true
 CROSS JOIN LATERAL (
        SELECT max(last_occurred_at) AS last_occurred_at
          FROM llmmon.ingest_batch
         WHERE source = n.source AND state IN ('loaded', 'released')) reach
 CROSS JOIN LATERAL (
        SELECT count(*) AS n_quarantined
          FROM llmmon.quarantine
         WHERE source = n.source AND resolved_batch_id IS NULL) waiting
 CROSS JOIN LATERAL (
        SELECT count(*) AS n_batches, coalesce(sum(n_held), 0)::bigint AS n_rows, min(loaded_at) AS since
          FROM llmmon.ingest_batch
         WHERE source = n.source AND state = 'held') held
  LEFT JOIN llmmon.alert ON alert.source = n.source AND alert.state <> 'resolved'
 ORDER BY held.n_batches = 0, n.source;
