-- What was drawn, replayed and judged.
CREATE TABLE llmmon.provenance (
  provenance_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest         bytea       NOT NULL UNIQUE,
  kind           text        NOT NULL,
  plugin         text        NOT NULL,
  parameters     jsonb       NOT NULL,
  code_version   text        NOT NULL,
  config_digest  text        NOT NULL,
  model_revision text,
  seed           bigint,
  first_used_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE llmmon.provenance IS 'How numbers are made: plug-in, parameters, code version, configuration, model revision, seed.';

CREATE TABLE llmmon.sample (
  sample_id    bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_key  bigint           NOT NULL REFERENCES llmmon.request_identity,
  deployment   text             NOT NULL,
  window_start timestamptz      NOT NULL,
  window_end   timestamptz      NOT NULL,
  stratum      text             NOT NULL,
  probability  double precision NOT NULL CHECK (probability > 0 AND probability <= 1),
  seed         bigint           NOT NULL,
  drawn_at     timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT a_request_is_drawn_once UNIQUE (deployment, window_start, request_key)
);

CREATE TABLE llmmon.response (
  response_id         bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sample_id           bigint           NOT NULL REFERENCES llmmon.sample,
  request_key         bigint           NOT NULL REFERENCES llmmon.request_identity,
  deployment          text             NOT NULL,
  window_start        timestamptz      NOT NULL,
  lane                text             NOT NULL CHECK (lane <> 'logged'),
  variant             text             NOT NULL,
  repeat              smallint         NOT NULL,
  state               text             NOT NULL CHECK (state IN ('done', 'failed')),
  reason              text,
  messages            jsonb            NOT NULL,
  documents           jsonb            NOT NULL DEFAULT '[]',
  change              jsonb            NOT NULL DEFAULT '{}',
  response_text       text,
  finish_reason       text,
  n_input_tokens      integer,
  n_output_tokens     integer,
  ttft_ms             double precision,
  latency_ms          double precision,
  mean_logprob        double precision CHECK (mean_logprob <= 0 AND mean_logprob > '-Infinity'),
  logged_mean_logprob double precision CHECK (logged_mean_logprob <= 0 AND logged_mean_logprob > '-Infinity'),
  detail              jsonb            NOT NULL DEFAULT '{}',
  provenance_id       bigint           NOT NULL REFERENCES llmmon.provenance,
  responded_at        timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT one_response_per_replay UNIQUE (sample_id, lane, variant, repeat),
  CONSTRAINT a_response_has_text_or_a_reason CHECK ((response_text IS NULL) = (reason IS NOT NULL))
);
COMMENT ON COLUMN llmmon.response.messages IS 'The input that was replayed, after the variant changed it; so are documents.';
-- Serves queries/response/window.sql.
CREATE INDEX response_by_deployment_and_window ON llmmon.response (deployment, window_start);

CREATE TABLE llmmon.score (
  score_id      bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_key   bigint           NOT NULL REFERENCES llmmon.request_identity,
  deployment    text             NOT NULL,
  window_start  timestamptz      NOT NULL,
  lane          text             NOT NULL,
  variant       text             NOT NULL,
  repeat        smallint         NOT NULL,
  scorer        text             NOT NULL,
  value         double precision CHECK (value > '-Infinity' AND value < 'Infinity'),
  label         text,
  reason        text,
  spans         jsonb            NOT NULL DEFAULT '[]',
  evidence      jsonb            NOT NULL DEFAULT '{}',
  provenance_id bigint           NOT NULL REFERENCES llmmon.provenance,
  scored_at     timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT one_score_per_response_and_scorer UNIQUE (request_key, lane, variant, repeat, scorer),
  CONSTRAINT a_score_has_a_value_or_a_reason CHECK ((value IS NULL) = (reason IS NOT NULL))
);
COMMENT ON COLUMN llmmon.score.lane IS 'logged: the response production gave; otherwise the replay lane.';
-- Serves queries/score/window.sql.
CREATE INDEX score_by_deployment_and_window ON llmmon.score (deployment, window_start);
