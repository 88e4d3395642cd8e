-- The endpoint identity sentinel: what a few fixed prompts were answered, by the endpoint and by the pinned reference.
CREATE TABLE llmmon.probe (
  deployment      text             NOT NULL,
  window_start    timestamptz      NOT NULL,
  window_end      timestamptz      NOT NULL,
  lane            text             NOT NULL CHECK (lane IN ('endpoint', 'reference')),
  prompt          text             NOT NULL,
  repeat          smallint         NOT NULL CHECK (repeat >= 0),
  state           text             NOT NULL CHECK (state IN ('done', 'failed')),
  reason          text,
  answer          text,
  finish_reason   text,
  served_as       text,
  n_input_tokens  integer,
  n_output_tokens integer,
  ttft_ms         double precision,
  latency_ms      double precision,
  first_logprobs  jsonb,
  cost_usd        double precision CHECK (cost_usd >= 0 AND cost_usd < 'Infinity'),
  detail          jsonb            NOT NULL DEFAULT '{}',
  provenance_id   bigint           NOT NULL REFERENCES llmmon.provenance,
  asked_at        timestamptz      NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, window_start, lane, prompt, repeat),
  CONSTRAINT a_probe_has_an_answer_or_a_reason CHECK (
    (answer IS NULL) = (reason IS NOT NULL) AND (answer IS NULL) = (state = 'failed'))
);
COMMENT ON TABLE llmmon.probe IS 'Probes sent for a window; the prompts are llmmon''s or the operator''s own, so no user''s words are in them.';
COMMENT ON COLUMN llmmon.probe.prompt IS 'Name of the prompt and digest of how it was asked: its text, temperature and longest answer. Asked differently it is another prompt.';
COMMENT ON COLUMN llmmon.probe.served_as IS 'Model as the endpoint named it in its answer.';
COMMENT ON COLUMN llmmon.probe.first_logprobs IS 'Log-probabilities, in nats, of the likeliest first tokens; null: not asked for, or not told.';
COMMENT ON COLUMN llmmon.probe.cost_usd IS 'Null: no price is configured, or the endpoint did not tell its tokens.';

ALTER TABLE llmmon.probe OWNER TO llmmon_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON llmmon.probe TO llmmon_writer;
GRANT SELECT (deployment, window_start, window_end, lane, prompt, repeat, state, reason, finish_reason, served_as,
  n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, provenance_id, asked_at) ON llmmon.probe TO llmmon_analyst;
