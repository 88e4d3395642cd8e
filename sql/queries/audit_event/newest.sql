-- The newest audit events, all or of one name, as `llmmon audit` prints them.
SELECT event_id, recorded_at, event, actor, subject, code_version, left(config_digest, 12) AS config_digest, detail
  FROM audit.trail
 WHERE %(event)s::text IS NULL OR event = %(event)s
 ORDER BY event_id DESC
 LIMIT %(limit)s
