-- Payload apart from facts: what people and models wrote lies in a table of its own, sealed under its subject's key.

-- One key a subject. Deleting the row makes every text of the subject unreadable, in every copy of the database.
CREATE TABLE llmmon.subject_key (
  key_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_ref    text        NOT NULL CONSTRAINT one_key_per_subject UNIQUE,
  wrapped_key bytea       NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN llmmon.subject_key.wrapped_key IS 'The key, itself sealed under the key in LLMMON_PRIVACY_KEY.';

CREATE TABLE llmmon.request_payload (
  request_key bigint      NOT NULL,
  occurred_at timestamptz NOT NULL,
  key_id      bigint,
  content     bytea       NOT NULL,
  PRIMARY KEY (occurred_at, request_key)
) PARTITION BY RANGE (occurred_at);
ALTER TABLE llmmon.request_payload ALTER COLUMN content SET STORAGE EXTERNAL;  -- what is sealed does not compress
COMMENT ON TABLE llmmon.request_payload IS 'Messages, documents, parameters and answers of requests, as JSON.';
COMMENT ON COLUMN llmmon.request_payload.key_id IS 'The subject_key that content is sealed under (AES-SIV); null: not sealed.';

-- Creates the day partitions that hold `day`, where they are missing; called by the loader and by the maintain DAG.
CREATE OR REPLACE FUNCTION llmmon.ensure_day_partition(day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  parent         text;
  partition_name text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['request_payload', 'request_log'] LOOP
    partition_name := parent || '_' || to_char(day, 'YYYYMMDD');
    IF to_regclass('llmmon.' || quote_ident(partition_name)) IS NULL THEN
      PERFORM pg_advisory_xact_lock(hashtext('llmmon.ensure_day_partition'));
      EXECUTE format(
        'CREATE TABLE IF NOT EXISTS llmmon.%I PARTITION OF llmmon.%I FOR VALUES FROM (%L) TO (%L)',
        partition_name, parent, (day::text || ' 00:00:00+00')::timestamptz, ((day + 1)::text || ' 00:00:00+00')::timestamptz);
    END IF;
  END LOOP;
  RETURN partition_name;
END $$;

-- Drops the day partitions that hold `day` and returns how many requests they held; null when there are none.
CREATE OR REPLACE FUNCTION llmmon.drop_day_partition(day date) RETURNS bigint
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
  EXECUTE format('DROP TABLE IF EXISTS llmmon.%I', 'request_payload_' || to_char(day, 'YYYYMMDD'));
  RETURN n_requests;
END $$;

-- The texts that are there already move over, not sealed.
DO $$
DECLARE day date;
BEGIN
  FOR day IN SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date FROM llmmon.request_log LOOP
    PERFORM llmmon.ensure_day_partition(day);
  END LOOP;
END $$;
INSERT INTO llmmon.request_payload (request_key, occurred_at, content)
SELECT request_key, occurred_at,
       convert_to(jsonb_build_object('messages', messages, 'documents', documents, 'parameters', parameters,
                                     'response_text', response_text, 'reference_answer', reference_answer)::text, 'UTF8')
  FROM llmmon.request_log;

ALTER TABLE llmmon.request_log
  ADD COLUMN response_characters integer,
  ADD COLUMN redacted jsonb NOT NULL DEFAULT '{}';
UPDATE llmmon.request_log SET response_characters = length(response_text) WHERE response_text IS NOT NULL;
ALTER TABLE llmmon.request_log
  DROP COLUMN messages,
  DROP COLUMN documents,
  DROP COLUMN parameters,
  DROP COLUMN response_text,
  DROP COLUMN reference_answer;
COMMENT ON COLUMN llmmon.request_log.redacted IS 'How many pieces of personal data of each type were replaced before storage.';
COMMENT ON COLUMN llmmon.request_log.digest IS 'SHA-256 over the facts and the stored content; it outlives the erasure of the content.';

ALTER TABLE llmmon.quarantine ADD COLUMN sealed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN llmmon.quarantine.sealed IS 'raw is sealed under the key in LLMMON_PRIVACY_KEY.';

ALTER TABLE llmmon.ingest_batch ADD COLUMN root bytea;
COMMENT ON COLUMN llmmon.ingest_batch.root IS 'RFC 9162 tree hash over the digests of the new rows in order of request_key; null when there are none.';

ALTER TABLE llmmon.subject_key OWNER TO llmmon_owner;
ALTER TABLE llmmon.request_payload OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.subject_key, llmmon.request_payload TO llmmon_writer;
GRANT SELECT (key_id, user_ref, created_at) ON llmmon.subject_key TO llmmon_auditor;
GRANT SELECT (request_key, occurred_at, key_id) ON llmmon.request_payload TO llmmon_auditor;
GRANT SELECT (response_characters, redacted) ON llmmon.request_log TO llmmon_analyst;
GRANT SELECT (sealed) ON llmmon.quarantine TO llmmon_analyst;
DO $$
DECLARE partition text;
BEGIN
  FOR partition IN SELECT inhrelid::regclass::text FROM pg_catalog.pg_inherits
                    WHERE inhparent = 'llmmon.request_payload'::regclass LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO llmmon_owner', partition);
  END LOOP;
END $$;
