-- Retention: per kind of record the oldest and newest that are kept, and the last removal with its age limit. A limit under
-- 183 days is flagged for the kinds that the AI Act calls logs. Duties: AI Act Art. 19 and 26(6) (logs at least six months);
-- GDPR Art. 5(1)(e) (no longer than needed); SOC 2 C1.2.
WITH kept (record, is_log, oldest_at, newest_at, n) AS (
  SELECT 'request log', true, min(occurred_at), max(occurred_at), count(*) FROM llmmon.request_log
  UNION ALL
  SELECT 'quarantined lines', false, min(received_at), max(received_at), count(*) FROM llmmon.quarantine
  UNION ALL
  SELECT 'held lines', false, min(b.loaded_at), max(b.loaded_at), count(h.place)
    FROM llmmon.held_row AS h
    JOIN llmmon.ingest_batch AS b USING (batch_id)
  UNION ALL
  SELECT 'replayed responses', false, min(responded_at), max(responded_at), count(*) FROM llmmon.response
  UNION ALL
  SELECT 'scores', false, min(scored_at), max(scored_at), count(*) FROM llmmon.score
  UNION ALL
  SELECT 'measurements', true, min(measured_at), max(measured_at), count(*) FROM llmmon.measurement
  UNION ALL
  SELECT 'latency sketches', false, min(sketched_at), max(sketched_at), count(*) FROM llmmon.latency_sketch
  UNION ALL
  SELECT 'latency by day', false, min(rolled_up_at), max(rolled_up_at), count(*) FROM llmmon.latency_day
  UNION ALL
  SELECT 'reports', false, min(rendered_at), max(rendered_at), count(*) FROM llmmon.report
  UNION ALL
  SELECT 'alerts', true, min(opened_at), max(opened_at), count(*) FROM llmmon.alert
  UNION ALL
  SELECT 'audit trail', true, min(recorded_at), max(recorded_at), count(*) FROM audit.trail
), removed (record, last_removed_at, n_removals, shortest_limit_days) AS (
  SELECT 'request log', max(recorded_at), count(*), min((detail ->> 'retention_days')::integer)
    FROM audit.trail
   WHERE event = 'partition.dropped'
  UNION ALL
  SELECT names.record, max(recorded_at), count(*), NULL
    FROM audit.trail
   CROSS JOIN (VALUES ('quarantined lines', 'n_quarantined'), ('held lines', 'n_held'), ('replayed responses', 'n_responses'),
                      ('scores', 'n_scores'), ('latency sketches', 'n_sketches'),
                      ('reports', 'n_reports')) AS names (record, key)
   WHERE event = 'retention.applied' AND (detail ->> names.key)::bigint > 0
   GROUP BY names.record
)
SELECT kept.record,
       kept.n,
       kept.oldest_at,
       kept.newest_at,
       removed.last_removed_at,
       coalesce(removed.n_removals, 0)                             AS n_removals,
       removed.shortest_limit_days,
       kept.is_log AND coalesce(removed.shortest_limit_days < 183, false) AS is_removed_too_early
  FROM kept
  LEFT JOIN removed USING (record)
 ORDER BY kept.record
