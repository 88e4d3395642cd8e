-- Alerts, newest first, optionally of one state or deployment; one page, by key.
SELECT alert_id, source, deployment, monitor, segment, window_start, window_end, severity, state, title, sentence,
       value, reference_value, e_value, opened_at
  FROM llmmon.alert
 WHERE (%(state)s::text IS NULL OR state = %(state)s)
   AND (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
   AND (%(before)s::bigint IS NULL OR alert_id < %(before)s)
 ORDER BY alert_id DESC
 LIMIT %(n_rows)s;
