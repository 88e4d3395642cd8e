-- The last erasure of each of some subjects.
SELECT DISTINCT ON (user_ref) user_ref, key_id, erased_at
  FROM llmmon.subject_erasure
 WHERE user_ref = ANY(%(user_refs)s)
 ORDER BY user_ref, erased_at DESC
