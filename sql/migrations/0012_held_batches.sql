-- A batch that fails its gate is kept whole until a person releases or discards it, and whoever is on call is told.

-- Batches held before kept no rows and left the cursor where it was, so that their rows are read again; the audit trail keeps them.
DELETE FROM llmmon.ingest_batch WHERE state IN ('held', 'released');

ALTER TABLE llmmon.ingest_batch
  ADD COLUMN n_held            bigint NOT NULL DEFAULT 0,
  ADD COLUMN n_from_quarantine bigint NOT NULL DEFAULT 0,
  ADD COLUMN decided_at        timestamptz,
  ADD COLUMN decided_by        text,
  ADD COLUMN decided_because   text,
  DROP CONSTRAINT ingest_batch_state_check,
  DROP CONSTRAINT every_row_is_accounted_for,
  ADD CONSTRAINT ingest_batch_state_check CHECK (state IN ('loaded', 'held', 'released', 'discarded')),
  ADD CONSTRAINT every_row_is_accounted_for CHECK (n_in = n_new + n_dup + n_bad + n_held),
  ADD CONSTRAINT only_a_held_or_discarded_batch_keeps_rows_back CHECK (n_held = 0 OR state IN ('held', 'discarded')),
  ADD CONSTRAINT a_decision_has_a_person_and_a_reason CHECK (
    num_nonnulls(decided_at, decided_by, decided_because) = CASE WHEN state IN ('released', 'discarded') THEN 3 ELSE 0 END);
COMMENT ON COLUMN llmmon.ingest_batch.n_held IS 'Rows kept back: they wait in held_row while the batch is held, and are gone once it is discarded.';
COMMENT ON COLUMN llmmon.ingest_batch.n_from_quarantine IS 'Rows of n_in that were not read from the source but from quarantine, where an earlier batch counts them as bad.';
COMMENT ON COLUMN llmmon.ingest_batch.gate IS 'What Great Expectations found, part by part, with what failed in words; filled counts the requests that have each field.';
UPDATE llmmon.ingest_batch
   SET n_from_quarantine = n_in
 WHERE batch_id IN (SELECT resolved_batch_id FROM llmmon.quarantine);
-- Serves queries/held_batch/standing.sql: batches that wait are few among many.
CREATE INDEX ingest_batch_held ON llmmon.ingest_batch (source) WHERE state = 'held';

-- Serves the views compliance.ingest_reconciliation and compliance.traffic_accounted_for.
CREATE INDEX quarantine_by_batch ON llmmon.quarantine (batch_id);

CREATE TABLE llmmon.held_row (
  batch_id    bigint  NOT NULL REFERENCES llmmon.ingest_batch,
  place       integer NOT NULL,
  file        text    NOT NULL,
  byte_offset bigint  NOT NULL,
  cut         text    NOT NULL,
  is_request  boolean NOT NULL DEFAULT true,
  raw         bytea   NOT NULL,
  sealed      boolean NOT NULL,
  PRIMARY KEY (batch_id, place)
);
COMMENT ON TABLE llmmon.held_row IS 'The rows of held batches, byte for byte as they were read and in their order.';
COMMENT ON COLUMN llmmon.held_row.is_request IS 'False for a row that is passed over: it records something else than a request, and no count has it.';
COMMENT ON COLUMN llmmon.held_row.sealed IS 'raw is sealed under the key in LLMMON_PRIVACY_KEY.';

-- How many requests a source had in each hour of event time: what is usual, in a table small enough to be asked at every batch.
CREATE TABLE llmmon.source_hour (
  source     text        NOT NULL,
  hour       timestamptz NOT NULL,
  n_requests bigint      NOT NULL,
  PRIMARY KEY (source, hour)
);
INSERT INTO llmmon.source_hour (source, hour, n_requests)
SELECT source, date_bin('1 hour', occurred_at, '2000-01-01T00:00Z'), count(*)
  FROM llmmon.request_log
 GROUP BY 1, 2;

-- An alert is about a stream of measurements, or about a source whose batches are held.
ALTER TABLE llmmon.alert
  ADD COLUMN source text,
  ALTER COLUMN deployment     DROP NOT NULL,
  ALTER COLUMN monitor        DROP NOT NULL,
  ALTER COLUMN segment        DROP NOT NULL,
  ALTER COLUMN detector       DROP NOT NULL,
  ALTER COLUMN value          DROP NOT NULL,
  ALTER COLUMN e_value        DROP NOT NULL,
  ALTER COLUMN measurement_id DROP NOT NULL,
  ALTER COLUMN provenance_id  DROP NOT NULL,
  ADD CONSTRAINT an_alert_is_about_a_stream_or_a_source CHECK (
    num_nonnulls(deployment, monitor, segment, detector, value, e_value, measurement_id, provenance_id)
      = CASE WHEN source IS NULL THEN 8 ELSE 0 END);
CREATE UNIQUE INDEX a_source_has_one_unresolved_alert ON llmmon.alert (source) WHERE state <> 'resolved' AND source IS NOT NULL;

ALTER TABLE llmmon.held_row OWNER TO llmmon_owner;
ALTER TABLE llmmon.source_hour OWNER TO llmmon_owner;
GRANT SELECT, INSERT, UPDATE ON llmmon.source_hour TO llmmon_writer;
GRANT SELECT ON llmmon.source_hour TO llmmon_analyst;
GRANT SELECT, INSERT, DELETE ON llmmon.held_row TO llmmon_writer;
GRANT SELECT (batch_id, place, file, byte_offset, cut, is_request, sealed) ON llmmon.held_row TO llmmon_analyst;
