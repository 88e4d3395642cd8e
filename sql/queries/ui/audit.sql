-- The audit trail, newest first, one page by key; optionally of one kind of event.
SELECT event_id, recorded_at, event, actor, subject, code_version, config_digest, detail
  FROM audit.trail
 WHERE (%(before)s::bigint IS NULL OR event_id < %(before)s)
   AND (%(event)s::text IS NULL OR event = %(event)s)
 ORDER BY event_id DESC
 LIMIT %(n_rows)s;
