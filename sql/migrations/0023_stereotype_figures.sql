-- What stereotype probes found about the model that a deployment replays on.
CREATE TABLE llmmon.stereotype_figure (
  deployment    text             NOT NULL,
  probe         text             NOT NULL,
  probed_at     timestamptz      NOT NULL,
  place         integer          NOT NULL,
  category      text             NOT NULL,
  figure        text             NOT NULL,
  unit          text             NOT NULL,
  neutral       double precision,
  value         double precision,
  low           double precision,
  high          double precision,
  n             integer          NOT NULL CHECK (n >= 0),
  reason        text,
  detail        jsonb            NOT NULL DEFAULT '{}',
  provenance_id bigint           NOT NULL REFERENCES llmmon.provenance,
  PRIMARY KEY (deployment, probe, probed_at, category, figure),
  CONSTRAINT absent_has_a_reason CHECK (num_nonnulls(value, reason) >= 1)
);
COMMENT ON TABLE llmmon.stereotype_figure IS
  'One figure of one category of a stereotype probe (BBQ, CrowS-Pairs, WinoBias), run on the pinned replay model; never about a user.';
COMMENT ON COLUMN llmmon.stereotype_figure.place IS 'Order of the figures of one probe.';
COMMENT ON COLUMN llmmon.stereotype_figure.category IS 'As the data set names it; all: every category together.';
COMMENT ON COLUMN llmmon.stereotype_figure.neutral IS 'Value of a model without preference; null where there is no such value, as for an accuracy.';
COMMENT ON COLUMN llmmon.stereotype_figure.n IS 'Questions or pairs that the figure is about.';

ALTER TABLE llmmon.stereotype_figure OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.stereotype_figure TO llmmon_writer;
GRANT SELECT ON llmmon.stereotype_figure TO llmmon_analyst;
