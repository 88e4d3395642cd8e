-- Removes the quarantined rows that are known to be a subject's.
DELETE FROM llmmon.quarantine
 WHERE user_ref = %(user_ref)s
