-- What an alert's change comes from, and the settings that a number was made with.
CREATE TABLE llmmon.alert_explanation (
  explanation_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id       bigint      NOT NULL REFERENCES llmmon.alert,
  cause          text,
  statement      text        NOT NULL,
  n_more         bigint      CHECK (n_more > 0),
  request_keys   bigint[]    NOT NULL DEFAULT '{}',
  detail         jsonb       NOT NULL,
  provenance_id  bigint      NOT NULL REFERENCES llmmon.provenance,
  explained_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE llmmon.alert_explanation IS 'What an alert''s change comes from, as far as the windows known then could tell; a later explanation that differs is a new row.';
COMMENT ON COLUMN llmmon.alert_explanation.cause IS 'What carries most of the change; NULL while it cannot be told, with n_more replays that may tell it.';
COMMENT ON COLUMN llmmon.alert_explanation.detail IS 'Values, segments, shares with intervals, windows and coverage; ids of requests, never their texts.';
CREATE INDEX explanation_by_alert ON llmmon.alert_explanation (alert_id, explanation_id);

CREATE TABLE llmmon.deployment_settings (
  config_digest text        NOT NULL,
  deployment    text        NOT NULL,
  settings      jsonb       NOT NULL,
  first_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (config_digest, deployment)
);
COMMENT ON TABLE llmmon.deployment_settings IS 'What llmmon.toml said of a deployment''s windows, scorers, monitors and budget, under the digest that provenance names; neither sources, backends nor channels.';

ALTER TABLE llmmon.alert_explanation OWNER TO llmmon_owner;
ALTER TABLE llmmon.deployment_settings OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.alert_explanation, llmmon.deployment_settings TO llmmon_writer;
GRANT SELECT ON llmmon.alert_explanation, llmmon.deployment_settings TO llmmon_analyst;
