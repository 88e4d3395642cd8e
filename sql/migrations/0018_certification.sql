-- What a deployment's monitors were shown to notice: faults of known size, planted into a copy of its stored windows.
CREATE TABLE llmmon.certification (
  certification_id  bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment        text             NOT NULL,
  window_start      timestamptz,
  window_end        timestamptz,
  n_windows         integer          NOT NULL CHECK (n_windows >= 0),
  n_missing_windows integer          NOT NULL CHECK (n_missing_windows >= 0),
  window_hours      double precision NOT NULL,
  alpha             double precision NOT NULL,
  n_watched         integer          NOT NULL CHECK (n_watched > 0),
  n_runs            integer          NOT NULL CHECK (n_runs >= 0),
  provenance_id     bigint           NOT NULL REFERENCES llmmon.provenance,
  certified_at      timestamptz      NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE llmmon.certification IS
  'One run of llmmon certify: which windows were copied, and how often a fault was planted in them. Nothing was planted in the tables themselves.';
COMMENT ON COLUMN llmmon.certification.n_windows IS 'Quiet windows that were learnt from: those of the longest stretch that no alert lies in.';
COMMENT ON COLUMN llmmon.certification.n_missing_windows IS 'Quiet windows that are missing before anything can be told; 0 where results were had.';
COMMENT ON COLUMN llmmon.certification.n_watched IS 'Windows that a fault was watched for.';
COMMENT ON COLUMN llmmon.certification.n_runs IS 'How often each fault and size was planted.';
-- Serves queries/certification/newest.sql and the view compliance.detection_power.
CREATE INDEX certification_by_deployment ON llmmon.certification (deployment, certification_id);

CREATE TABLE llmmon.certification_result (
  certification_id     bigint           NOT NULL REFERENCES llmmon.certification,
  place                integer          NOT NULL,
  monitor              text             NOT NULL,
  fault                text             NOT NULL,
  size                 double precision NOT NULL,
  size_unit            text             NOT NULL,
  n_runs               integer          NOT NULL CHECK (n_runs >= 0),
  n_detected           integer          NOT NULL CHECK (n_detected BETWEEN 0 AND n_runs),
  share_detected       double precision,
  low                  double precision,
  high                 double precision,
  median_delay_windows double precision,
  effect               double precision,
  min_effect           double precision,
  unit                 text,
  reason               text,
  PRIMARY KEY (certification_id, monitor, fault, size),
  CONSTRAINT absent_has_a_reason CHECK (num_nonnulls(share_detected, reason) >= 1)
);
COMMENT ON TABLE llmmon.certification_result IS 'How often each monitor noticed each fault and size, and how soon.';
COMMENT ON COLUMN llmmon.certification_result.place IS 'Order of the rows: the sizes of a fault, smallest change first.';
COMMENT ON COLUMN llmmon.certification_result.monitor IS '* for the deployment: at least one monitor noticed.';
COMMENT ON COLUMN llmmon.certification_result.fault IS 'none: nothing was planted, and what was noticed is a false alarm.';
COMMENT ON COLUMN llmmon.certification_result.median_delay_windows IS 'Over the runs that noticed; 1 when the first window with the fault alarmed.';
COMMENT ON COLUMN llmmon.certification_result.effect IS 'Median over the planted windows of how far the fault moves the value over all traffic, in unit.';
COMMENT ON COLUMN llmmon.certification_result.min_effect IS 'Smallest change the monitor is told to alarm for, in unit.';
COMMENT ON COLUMN llmmon.certification_result.reason IS 'Why there is no share, or why nothing can be noticed.';

ALTER TABLE llmmon.certification OWNER TO llmmon_owner;
ALTER TABLE llmmon.certification_result OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.certification, llmmon.certification_result TO llmmon_writer;
GRANT SELECT ON llmmon.certification, llmmon.certification_result TO llmmon_analyst;
