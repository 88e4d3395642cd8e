-- What the windows measured, and what the streams of measurements are evidence of.
CREATE TABLE llmmon.measurement (
  measurement_id bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment     text             NOT NULL,
  monitor        text             NOT NULL,
  segment        text             NOT NULL,
  window_start   timestamptz      NOT NULL,
  window_end     timestamptz      NOT NULL,
  version        integer          NOT NULL DEFAULT 1,
  value          double precision CHECK (value > '-Infinity' AND value < 'Infinity'),
  low            double precision CHECK (low > '-Infinity' AND low < 'Infinity'),
  high           double precision CHECK (high > '-Infinity' AND high < 'Infinity'),
  n              bigint           NOT NULL CHECK (n >= 0),
  unit           text             NOT NULL,
  reason         text,
  detail         jsonb            NOT NULL DEFAULT '{}',
  provenance_id  bigint           NOT NULL REFERENCES llmmon.provenance,
  measured_at    timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT one_version_per_stream_and_window UNIQUE (deployment, monitor, segment, window_start, version),
  CONSTRAINT an_absent_value_has_a_reason CHECK (value IS NOT NULL OR reason IS NOT NULL)
);
COMMENT ON COLUMN llmmon.measurement.version IS 'A window measured again with another result gets the next version; the old one stays.';

CREATE VIEW llmmon.measurement_latest AS
  SELECT DISTINCT ON (deployment, monitor, segment, window_start) *
    FROM llmmon.measurement
   ORDER BY deployment, monitor, segment, window_start, version DESC;

CREATE TABLE llmmon.evidence (
  deployment      text             NOT NULL,
  monitor         text             NOT NULL,
  segment         text             NOT NULL,
  window_start    timestamptz      NOT NULL,
  window_end      timestamptz      NOT NULL,
  detector        text             NOT NULL,
  e_value         double precision CHECK (e_value >= 0),
  relevant        boolean          NOT NULL,
  value           double precision,
  reference_value double precision,
  effect          double precision,
  reason          text,
  detail          jsonb            NOT NULL DEFAULT '{}',
  measurement_id  bigint           REFERENCES llmmon.measurement,
  provenance_id   bigint           NOT NULL REFERENCES llmmon.provenance,
  PRIMARY KEY (deployment, monitor, segment, window_start),
  CONSTRAINT an_absent_e_value_has_a_reason CHECK (e_value IS NOT NULL OR reason IS NOT NULL)
);

CREATE TABLE llmmon.stream_state (
  deployment   text        NOT NULL,
  monitor      text        NOT NULL,
  segment      text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('learning', 'watching', 'alarmed')),
  window_start timestamptz NOT NULL,
  e_value      double precision,
  reason       text,
  updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, monitor, segment)
);
COMMENT ON COLUMN llmmon.stream_state.window_start IS 'Last window that the detector has seen.';

CREATE TABLE llmmon.alarm_budget (
  deployment   text             NOT NULL,
  window_start timestamptz      NOT NULL,
  alpha        double precision NOT NULL CHECK (alpha > 0 AND alpha < 1),
  n_streams    integer          NOT NULL,
  n_learning   integer          NOT NULL,
  n_alarmed    integer          NOT NULL,
  largest_e    double precision,
  threshold_e  double precision,
  decided_at   timestamptz      NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, window_start)
);
COMMENT ON TABLE llmmon.alarm_budget IS 'Who spent the error budget: streams tested, evidence and e-BH threshold, window by window.';

CREATE TABLE llmmon.report (
  report_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment   text        NOT NULL,
  window_start timestamptz NOT NULL,
  window_end   timestamptz NOT NULL,
  renderer     text        NOT NULL,
  summary      jsonb       NOT NULL,
  snapshot     bytea       NOT NULL,
  rendered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT one_report_per_window UNIQUE (deployment, window_start, renderer)
);
COMMENT ON COLUMN llmmon.report.snapshot IS 'Gzipped Evidently snapshot (JSON); rendered to HTML on demand.';

-- The closed account: at every stage each request of a window is in exactly one state.
CREATE TABLE llmmon.coverage (
  deployment   text             NOT NULL,
  window_start timestamptz      NOT NULL,
  window_end   timestamptz      NOT NULL,
  stage        text             NOT NULL CHECK (stage IN ('ingest', 'sample', 'replay', 'score', 'measure', 'detect')),
  state        text             NOT NULL CHECK (state IN ('done', 'sampled_out', 'failed', 'expired', 'pending')),
  reason       text             NOT NULL DEFAULT '',
  n            bigint           NOT NULL CHECK (n >= 0),
  probability  double precision CHECK (probability > 0 AND probability <= 1),
  counted_at   timestamptz      NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, window_start, stage, state, reason)
);
COMMENT ON COLUMN llmmon.coverage.probability IS 'Mean inclusion probability, where a state comes from sampling.';

CREATE TABLE llmmon.window_stage (
  deployment   text        NOT NULL,
  window_start timestamptz NOT NULL,
  window_end   timestamptz NOT NULL,
  stage        text        NOT NULL CHECK (stage IN ('ingest', 'sample', 'replay', 'score', 'measure', 'detect')),
  state        text        NOT NULL CHECK (state IN ('done', 'failed', 'expired', 'dirty')),
  reason       text,
  n_requests   bigint      NOT NULL,
  finished_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, window_start, stage)
);
COMMENT ON TABLE llmmon.window_stage IS 'Which windows each stage has finished; dirty: rows came late, to be done again.';
