-- The state of a batch and who asks; until the transaction ends nobody else may decide on it.
SELECT batch_id, state, session_user AS database_login
  FROM llmmon.ingest_batch
 WHERE batch_id = %(batch_id)s
   FOR UPDATE
