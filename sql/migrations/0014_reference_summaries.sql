-- What metrics keep of the reference windows, so that a later window is compared without reading their rows again.
CREATE TABLE llmmon.reference_summary (
  reference_summary_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment           text        NOT NULL,
  monitor              text        NOT NULL,
  segment              text        NOT NULL,
  version              integer     NOT NULL,
  basis                bytea       NOT NULL,
  judged_at            timestamptz,
  window_start         timestamptz NOT NULL,
  window_end           timestamptz NOT NULL,
  n_windows            integer     NOT NULL CHECK (n_windows > 0),
  n_requests           bigint      NOT NULL CHECK (n_requests >= 0),
  summary              jsonb       NOT NULL,
  provenance_id        bigint      NOT NULL REFERENCES llmmon.provenance,
  summarised_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT one_version_per_stream UNIQUE (deployment, monitor, segment, version)
);
COMMENT ON TABLE llmmon.reference_summary IS
  'Distributions, counts and feature means of the reference windows, per monitor and segment; no text can be read from them.';
COMMENT ON COLUMN llmmon.reference_summary.version IS 'A reference that gives another summary gets the next version; the old one stays with what was measured against it.';
COMMENT ON COLUMN llmmon.reference_summary.basis IS 'SHA-256 over the metric, its parameters, how it is segmented, and the reference windows.';
COMMENT ON COLUMN llmmon.reference_summary.judged_at IS 'When the last of the reference windows was judged, NULL when none had a request; a later one means that the summary must be made anew.';

ALTER TABLE llmmon.measurement ADD COLUMN reference_summary_id bigint REFERENCES llmmon.reference_summary;
COMMENT ON COLUMN llmmon.measurement.reference_summary_id IS
  'What the window was compared with; NULL where the metric needs no reference, and for a reference window, which is compared with the others.';
CREATE OR REPLACE VIEW llmmon.measurement_latest WITH (security_invoker = true) AS
  SELECT DISTINCT ON (deployment, monitor, segment, window_start) *
    FROM llmmon.measurement
   ORDER BY deployment, monitor, segment, window_start, version DESC;

ALTER TABLE llmmon.reference_summary OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.reference_summary TO llmmon_writer;
GRANT UPDATE (judged_at) ON llmmon.reference_summary TO llmmon_writer;
GRANT SELECT ON llmmon.reference_summary TO llmmon_analyst;
