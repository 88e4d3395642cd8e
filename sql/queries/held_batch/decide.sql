-- Records what a person decided of a held batch, and what became of its rows.
UPDATE llmmon.ingest_batch
   SET state = %(state)s,
       n_in = coalesce(%(n_in)s, n_in),
       n_new = %(n_new)s,
       n_dup = %(n_dup)s,
       n_bad = %(n_bad)s,
       n_held = coalesce(%(n_in)s, n_in) - %(n_new)s - %(n_dup)s - %(n_bad)s,
       root = %(root)s,
       first_occurred_at = coalesce(%(first)s, first_occurred_at),
       last_occurred_at = coalesce(%(last)s, last_occurred_at),
       decided_at = clock_timestamp(),
       decided_by = %(by)s,
       decided_because = %(because)s
 WHERE batch_id = %(batch_id)s
