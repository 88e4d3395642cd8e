-- The keys of some subjects.
SELECT key_id, user_ref, wrapped_key
  FROM llmmon.subject_key
 WHERE user_ref = ANY(%(user_refs)s)
