-- A page of the requests of one subject, oldest first: every column, so that no export lacks one that is added later.
SELECT l.*, p.content, p.key_id, k.wrapped_key
  FROM llmmon.request_log AS l
  LEFT JOIN llmmon.request_payload AS p ON p.occurred_at = l.occurred_at AND p.request_key = l.request_key
  LEFT JOIN llmmon.subject_key AS k ON k.key_id = p.key_id
 WHERE l.user_ref = %(user_ref)s
   AND (l.occurred_at, l.request_key) > (%(after_at)s, %(after_key)s)
 ORDER BY l.occurred_at, l.request_key
 LIMIT %(limit)s
