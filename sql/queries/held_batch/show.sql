-- One batch, whatever became of it.
SELECT batch_id, source, state, from_position, to_position, n_in, n_new, n_dup, n_bad, n_held, first_occurred_at,
       last_occurred_at, encode(raw_digest, 'hex') AS raw_sha256, gate, code_version, config_digest, loaded_at,
       decided_at, decided_by, decided_because
  FROM llmmon.ingest_batch
 WHERE batch_id = %(batch_id)s
