-- Takes one due delivery for a while, so that nobody else sends it meanwhile; a sender that dies gives it back by time.
WITH due AS (
  SELECT delivery_id
    FROM llmmon.delivery
   WHERE state = 'pending' AND next_attempt_at <= clock_timestamp()
   ORDER BY next_attempt_at, delivery_id
   LIMIT 1
     FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE llmmon.delivery
     SET n_attempts = n_attempts + 1, next_attempt_at = clock_timestamp() + %(lease)s
    FROM due
   WHERE delivery.delivery_id = due.delivery_id
  RETURNING delivery.delivery_id, delivery.alert_id, delivery.channel, delivery.dedupe_key, delivery.n_attempts
)
SELECT taken.delivery_id, taken.channel, taken.dedupe_key, taken.n_attempts, a.alert_id, a.source, a.deployment,
       a.monitor, a.segment, a.window_start, a.window_end, a.severity, a.title, a.sentence, a.opened_at, a.detail
  FROM taken
  JOIN llmmon.alert a USING (alert_id)
