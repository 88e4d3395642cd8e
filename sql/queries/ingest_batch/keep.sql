-- Records what became of every row of one batch.
INSERT INTO llmmon.ingest_batch (
  batch_id, source, state, from_position, to_position, n_in, n_new, n_dup, n_bad, n_held, n_from_quarantine,
  first_occurred_at, last_occurred_at, raw_digest, root, gate, code_version, config_digest
) OVERRIDING SYSTEM VALUE VALUES (
  %(batch_id)s, %(source)s, %(state)s, %(from_position)s, %(to_position)s, %(n_in)s, %(n_new)s, %(n_dup)s, %(n_bad)s,
  %(n_held)s, %(n_from_quarantine)s, %(first_occurred_at)s, %(last_occurred_at)s, %(raw_digest)s, %(root)s, %(gate)s,
  %(code_version)s, %(config_digest)s
)
