-- What was read, from where, and what became of every row of it.
CREATE TABLE llmmon.source_cursor (
  source      text        PRIMARY KEY,
  position    jsonb       NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE llmmon.source_cursor IS 'Where reading of each source stopped; its row lock serialises the loaders of a source.';

CREATE TABLE llmmon.ingest_batch (
  batch_id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source            text        NOT NULL,
  state             text        NOT NULL CHECK (state IN ('loaded', 'held', 'released')),
  from_position     jsonb,
  to_position       jsonb       NOT NULL,
  n_in              bigint      NOT NULL,
  n_new             bigint      NOT NULL,
  n_dup             bigint      NOT NULL,
  n_bad             bigint      NOT NULL,
  first_occurred_at timestamptz,
  last_occurred_at  timestamptz,
  raw_digest        bytea       NOT NULL,
  gate              jsonb,
  code_version      text        NOT NULL,
  config_digest     text        NOT NULL,
  loaded_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT every_row_is_accounted_for CHECK (n_in = n_new + n_dup + n_bad)
);
COMMENT ON COLUMN llmmon.ingest_batch.gate IS 'Great Expectations result of this batch, as it returned it.';

CREATE TABLE llmmon.quarantine (
  quarantine_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  batch_id      bigint      NOT NULL REFERENCES llmmon.ingest_batch,
  source        text        NOT NULL,
  file          text        NOT NULL,
  byte_offset   bigint      NOT NULL,
  code          text        NOT NULL,
  reason        text        NOT NULL,
  raw           bytea       NOT NULL,
  raw_digest    bytea       NOT NULL,
  received_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The identity of a request lives apart from its partitioned content, so that (source, request_id) is unique for ever.
CREATE TABLE llmmon.request_identity (
  request_key bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text        NOT NULL,
  request_id  text        NOT NULL,
  occurred_at timestamptz NOT NULL,
  CONSTRAINT one_request_per_source_and_id UNIQUE (source, request_id)
);

CREATE TABLE llmmon.request_log (
  request_key      bigint           NOT NULL,
  occurred_at      timestamptz      NOT NULL,
  source           text             NOT NULL,
  request_id       text             NOT NULL,
  batch_id         bigint           NOT NULL,
  deployment       text             NOT NULL,
  model            text             NOT NULL,
  model_version    text,
  route            text,
  tenant           text,
  language         text,
  user_ref         text,
  conversation_id  text,
  status           text             NOT NULL CHECK (status IN ('ok', 'error')),
  error_type       text,
  finish_reason    text,
  messages         jsonb            NOT NULL,
  documents        jsonb            NOT NULL DEFAULT '[]',
  parameters       jsonb            NOT NULL DEFAULT '{}',
  response_text    text,
  reference_answer text,
  n_input_tokens   integer          CHECK (n_input_tokens >= 0),
  n_output_tokens  integer          CHECK (n_output_tokens >= 0),
  ttft_ms          double precision CHECK (ttft_ms >= 0 AND ttft_ms < 'Infinity'),
  latency_ms       double precision CHECK (latency_ms >= 0 AND latency_ms < 'Infinity'),
  cost_usd         double precision CHECK (cost_usd < 'Infinity'),
  feedback         double precision,
  groups           jsonb            NOT NULL DEFAULT '{}',
  tags             jsonb            NOT NULL DEFAULT '{}',
  cleaned          text[]           NOT NULL DEFAULT '{}',
  digest           bytea            NOT NULL,
  PRIMARY KEY (occurred_at, request_key)
) PARTITION BY RANGE (occurred_at);
COMMENT ON COLUMN llmmon.request_log.digest IS 'SHA-256 of the raw bytes this row was read from.';
COMMENT ON COLUMN llmmon.request_log.cleaned IS 'Fields from which NUL or lone surrogates were removed.';

-- Serves queries/request_log/window.sql: one deployment over one window.
CREATE INDEX request_log_by_deployment_and_time ON llmmon.request_log (deployment, occurred_at);

-- Creates the day partition that holds `day`, if it is not there; called by the loader and by the maintain DAG.
CREATE FUNCTION llmmon.ensure_day_partition(day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  partition_name text := 'request_log_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass('llmmon.' || quote_ident(partition_name)) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('llmmon.ensure_day_partition'));
    EXECUTE format(
      'CREATE TABLE IF NOT EXISTS llmmon.%I PARTITION OF llmmon.request_log FOR VALUES FROM (%L) TO (%L)',
      partition_name, (day::text || ' 00:00:00+00')::timestamptz, ((day + 1)::text || ' 00:00:00+00')::timestamptz);
  END IF;
  RETURN partition_name;
END $$;

-- Drops the day partition that holds `day` and returns how many requests it held; null when there is none.
CREATE FUNCTION llmmon.drop_day_partition(day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
  partition_name text := 'request_log_' || to_char(day, 'YYYYMMDD');
  n_requests     bigint;
BEGIN
  IF to_regclass('llmmon.' || quote_ident(partition_name)) IS NULL THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT count(*) FROM llmmon.%I', partition_name) INTO n_requests;
  EXECUTE format('DROP TABLE llmmon.%I', partition_name);
  RETURN n_requests;
END $$;

REVOKE EXECUTE ON FUNCTION llmmon.ensure_day_partition(date), llmmon.drop_day_partition(date) FROM PUBLIC;
