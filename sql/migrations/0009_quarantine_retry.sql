-- A quarantined row can be read again later; it stays, and names the batch that took it.
ALTER TABLE llmmon.quarantine
  ADD COLUMN resolved_batch_id bigint REFERENCES llmmon.ingest_batch,
  ADD COLUMN resolved_at       timestamptz;
COMMENT ON COLUMN llmmon.quarantine.resolved_batch_id IS 'The batch that loaded this row when it was tried again; null: still in quarantine.';
-- Serves queries/quarantine/waiting.sql.
CREATE INDEX quarantine_waiting ON llmmon.quarantine (source, quarantine_id) WHERE resolved_batch_id IS NULL;

GRANT UPDATE (resolved_batch_id, resolved_at) ON llmmon.quarantine TO llmmon_writer;
GRANT SELECT (resolved_batch_id, resolved_at) ON llmmon.quarantine TO llmmon_analyst;
