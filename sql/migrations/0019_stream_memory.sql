-- Detection goes on from where it stood: what each stream remembers, and how far its deployment's past was read.

-- A number that grows with every change of a row. Who writes measurements or closes a stage of a deployment holds that deployment's
-- account lock from before the number is drawn until it commits, and so does detection while it reads; so what changed after a
-- detection has larger numbers than all that it saw.
ALTER TABLE llmmon.measurement ADD COLUMN change_id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE llmmon.window_stage ADD COLUMN change_id bigint GENERATED ALWAYS AS IDENTITY;
COMMENT ON COLUMN llmmon.measurement.change_id IS 'Grows with every version, and when a provisional one is completed in place.';
COMMENT ON COLUMN llmmon.window_stage.change_id IS 'Grows whenever the stage finishes or gives up the window.';

-- Serves queries/evidence/outdated.sql and queries/detection/first_window.sql.
CREATE INDEX measurement_by_change ON llmmon.measurement (deployment, change_id);
-- Serves queries/measurement/streams.sql.
CREATE INDEX measurement_by_window ON llmmon.measurement (deployment, window_start);
-- Serves queries/detection/finished.sql and queries/evidence/outdated.sql.
CREATE INDEX window_measured_by_change ON llmmon.window_stage (deployment, change_id) WHERE stage = 'measure';
-- Serves queries/detection/first_window.sql: windows that hold detection back are few among many.
CREATE INDEX window_not_measured ON llmmon.window_stage (deployment, window_start)
  WHERE stage = 'measure' AND state NOT IN ('done', 'expired');
-- Serves queries/evidence/of_windows.sql and the views of the alarm budget.
CREATE INDEX evidence_by_window ON llmmon.evidence (deployment, window_start);

ALTER TABLE llmmon.stream_state
  ADD COLUMN first_window_start timestamptz,
  ADD COLUMN restarts           timestamptz[] NOT NULL DEFAULT '{}',
  ADD COLUMN memory             json          NOT NULL DEFAULT '[]';
COMMENT ON COLUMN llmmon.stream_state.restarts IS 'Windows after which the stream learns anew, because its alert was resolved.';
COMMENT ON COLUMN llmmon.stream_state.memory IS 'Where the stream stood after a few windows, newest last: what its detector remembers (json, not jsonb, keeps numbers to the bit).';

CREATE TABLE llmmon.detection (
  deployment            text        PRIMARY KEY,
  first_start           timestamptz NOT NULL,
  judged_until          timestamptz NOT NULL,
  measurement_change_id bigint      NOT NULL,
  stage_change_id       bigint      NOT NULL,
  rules                 jsonb       NOT NULL
);
COMMENT ON TABLE llmmon.detection IS 'How far a deployment is judged, which changes of its past were seen, and by which rules.';
COMMENT ON COLUMN llmmon.detection.rules IS 'Window length, alpha, and per monitor the digest of its detector, parameters, smallest effect and code version.';

ALTER TABLE llmmon.detection OWNER TO llmmon_owner;
GRANT SELECT, INSERT, UPDATE ON llmmon.detection TO llmmon_writer;
GRANT SELECT ON llmmon.detection TO llmmon_analyst;
-- The evidence of a window that was given up after all, and a stream that had no other window, are no longer there.
GRANT DELETE ON llmmon.evidence, llmmon.stream_state TO llmmon_writer;
