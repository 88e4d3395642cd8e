-- Who did what: every audit event with its actor, subject, code version and configuration, oldest first.
-- Duties: AI Act Art. 12 (automatic recording of events); GDPR Art. 5(2) (accountability); SOC 2 CC6.1 and CC7.2.
SELECT event_id, recorded_at, actor, event, subject, code_version, config_digest, detail
  FROM audit.trail
 ORDER BY event_id
