-- Destroys the key of a subject, and with it every text that it sealed.
DELETE FROM llmmon.subject_key
 WHERE user_ref = %(user_ref)s
RETURNING key_id
