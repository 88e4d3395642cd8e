-- A team's own reference texts, which answers are verified against, and what asking language models for verdicts cost.
CREATE TABLE llmmon.fact_passage (
  fact_passage_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  facts           text        NOT NULL,
  document        text        NOT NULL,
  start_offset    integer     NOT NULL CHECK (start_offset >= 0),
  end_offset      integer     NOT NULL CHECK (end_offset > start_offset),
  content         text        NOT NULL,
  lexemes         tsvector    NOT NULL,
  embedding       bytea       NOT NULL,
  digest          bytea       NOT NULL,
  indexed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (facts, document, start_offset)
);
COMMENT ON TABLE llmmon.fact_passage IS
  'Passages of a team''s reference texts, by llmmon facts index; no text of a user or a model.';
COMMENT ON COLUMN llmmon.fact_passage.facts IS 'Name in the configuration, [facts.NAME].';
COMMENT ON COLUMN llmmon.fact_passage.document IS 'Path below the folder, with the line''s id for JSON lines; or the id column.';
COMMENT ON COLUMN llmmon.fact_passage.start_offset IS 'Characters of the document before the passage.';
COMMENT ON COLUMN llmmon.fact_passage.embedding IS 'Unit vector of the static encoder, 32-bit floats, little-endian.';
COMMENT ON COLUMN llmmon.fact_passage.digest IS 'SHA-256 of the whole document and of how it was cut and encoded: the same is not indexed twice.';
-- Serves queries/fact_passage/by_words.sql.
CREATE INDEX fact_passage_by_words ON llmmon.fact_passage USING gin (lexemes);

CREATE TABLE llmmon.judge_usage (
  judge_usage_id  bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment      text             NOT NULL,
  window_start    timestamptz      NOT NULL,
  scorer          text             NOT NULL,
  provenance_id   bigint           NOT NULL REFERENCES llmmon.provenance,
  n_judged        integer          NOT NULL CHECK (n_judged > 0),
  n_failed        integer          NOT NULL CHECK (n_failed BETWEEN 0 AND n_judged),
  n_calls         integer          NOT NULL CHECK (n_calls >= 0),
  n_failed_calls  integer          NOT NULL CHECK (n_failed_calls BETWEEN 0 AND n_calls),
  n_input_tokens  bigint           NOT NULL,
  n_output_tokens bigint           NOT NULL,
  cost_usd        double precision NOT NULL,
  n_without_cost  integer          NOT NULL CHECK (n_without_cost BETWEEN 0 AND n_judged),
  spent_at        timestamptz      NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE llmmon.judge_usage IS
  'What a page of verdicts cost, one row each time it was asked for: a window that is judged again costs again.';
COMMENT ON COLUMN llmmon.judge_usage.n_judged IS 'Responses that something was sent for.';
COMMENT ON COLUMN llmmon.judge_usage.n_failed IS 'Of them, those without a verdict.';
COMMENT ON COLUMN llmmon.judge_usage.n_without_cost IS 'Of them, those whose tokens or price are not known; cost_usd leaves them out.';

ALTER TABLE llmmon.fact_passage OWNER TO llmmon_owner;
ALTER TABLE llmmon.judge_usage OWNER TO llmmon_owner;
GRANT SELECT, INSERT, DELETE ON llmmon.fact_passage TO llmmon_writer;
GRANT SELECT, INSERT ON llmmon.judge_usage TO llmmon_writer;
GRANT SELECT ON llmmon.judge_usage TO llmmon_analyst;
-- The texts are the team's own: who audits a verdict may read what it was checked against.
GRANT SELECT (fact_passage_id, facts, document, start_offset, end_offset, digest, indexed_at) ON llmmon.fact_passage
  TO llmmon_analyst;
GRANT SELECT ON llmmon.fact_passage TO llmmon_auditor;
