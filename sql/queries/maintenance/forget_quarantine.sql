-- Removes quarantined rows that were received before a moment.
DELETE FROM llmmon.quarantine
 WHERE received_at < %(before)s
