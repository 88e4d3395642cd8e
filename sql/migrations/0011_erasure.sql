-- Erasure: what replays and scorers quote is sealed under its subject's key too, and a role may destroy that key.

-- What was replayed and answered, what a variant changed and what a failing endpoint told: one sealed JSON document.
ALTER TABLE llmmon.response
  ADD COLUMN key_id              bigint,
  ADD COLUMN content             bytea NOT NULL DEFAULT '',
  ADD COLUMN response_characters integer;
UPDATE llmmon.response SET response_characters = length(response_text) WHERE response_text IS NOT NULL;
-- SQL cannot seal: texts of a subject's replays go, and only those of requests without a subject move over
UPDATE llmmon.response AS r
   SET key_id = p.key_id
  FROM llmmon.request_payload AS p
 WHERE p.request_key = r.request_key AND p.key_id IS NOT NULL;
UPDATE llmmon.response
   SET content = convert_to(jsonb_strip_nulls(jsonb_build_object(
                   'messages', messages, 'documents', documents, 'response_text', response_text,
                   'terms', change -> 'terms', 'told', detail ->> 'told'))::text, 'UTF8')
 WHERE key_id IS NULL;
UPDATE llmmon.response SET change = change - 'terms', detail = detail - 'told';
ALTER TABLE llmmon.response
  DROP COLUMN messages,
  DROP COLUMN documents,
  DROP COLUMN response_text,
  ALTER COLUMN content DROP DEFAULT,
  ALTER COLUMN content SET STORAGE EXTERNAL,
  ADD CONSTRAINT a_response_has_text_or_a_reason CHECK ((response_characters IS NULL) = (reason IS NOT NULL));
COMMENT ON COLUMN llmmon.response.content IS 'Replayed input and answer as JSON, sealed when key_id is set; empty: its subject was erased before it was stored.';
COMMENT ON COLUMN llmmon.response.key_id IS 'The subject_key that content is sealed under (AES-SIV); null: not sealed.';
COMMENT ON COLUMN llmmon.response.change IS 'Which rule of the variant changed the input; the words themselves are in content.';

-- Evidence quotes answers and documents.
ALTER TABLE llmmon.score ADD COLUMN key_id bigint;
UPDATE llmmon.score AS s
   SET key_id = p.key_id
  FROM llmmon.request_payload AS p
 WHERE p.request_key = s.request_key AND p.key_id IS NOT NULL;
ALTER TABLE llmmon.score
  ALTER COLUMN evidence DROP DEFAULT,
  ALTER COLUMN evidence TYPE bytea
        USING CASE WHEN key_id IS NULL THEN convert_to(evidence::text, 'UTF8') ELSE ''::bytea END,
  ALTER COLUMN evidence SET DEFAULT '{}';
COMMENT ON COLUMN llmmon.score.evidence IS 'JSON, sealed when key_id is set; empty: its subject was erased before it was stored.';
COMMENT ON COLUMN llmmon.score.key_id IS 'The subject_key that evidence is sealed under (AES-SIV); null: not sealed.';

ALTER TABLE llmmon.quarantine ADD COLUMN user_ref text;
COMMENT ON COLUMN llmmon.quarantine.user_ref IS 'Its subject, where the row could be read that far; null: not known.';

-- One row an erasure; the audit trail tells the same. Erased: the key that sealed everything up to then.
CREATE TABLE llmmon.subject_erasure (
  erasure_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_ref      text        NOT NULL,
  key_id        bigint      CONSTRAINT a_key_is_destroyed_once UNIQUE,
  erased_by     text        NOT NULL,
  because       text        NOT NULL,
  n_requests    bigint      NOT NULL,
  n_responses   bigint      NOT NULL,
  n_scores      bigint      NOT NULL,
  n_quarantined bigint      NOT NULL,
  erased_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN llmmon.subject_erasure.key_id IS 'The key that was destroyed; null: all that was kept of the subject were quarantined rows.';
COMMENT ON COLUMN llmmon.subject_erasure.n_quarantined IS 'Quarantined rows that were removed; the other counts are of rows whose texts became unreadable.';
-- Serves queries/subject_erasure/find.sql.
CREATE INDEX subject_erasure_by_subject ON llmmon.subject_erasure (user_ref);

ALTER TABLE llmmon.subject_erasure OWNER TO llmmon_owner;

-- The eraser destroys keys and known quarantined rows, counts what they sealed, and says so; it reads no text.
GRANT USAGE ON SCHEMA llmmon, audit TO llmmon_eraser;
GRANT DELETE, SELECT (key_id, user_ref) ON llmmon.subject_key TO llmmon_eraser;
GRANT DELETE, SELECT (user_ref) ON llmmon.quarantine TO llmmon_eraser;
GRANT SELECT (key_id) ON llmmon.request_payload, llmmon.response, llmmon.score TO llmmon_eraser;
GRANT SELECT, INSERT ON llmmon.subject_erasure TO llmmon_eraser;
GRANT INSERT (body) ON audit.event TO llmmon_eraser;

GRANT SELECT ON llmmon.subject_erasure TO llmmon_writer, llmmon_auditor;
GRANT UPDATE (user_ref) ON llmmon.quarantine TO llmmon_writer;
GRANT SELECT (response_characters) ON llmmon.response TO llmmon_analyst;
GRANT SELECT (key_id) ON llmmon.response, llmmon.score TO llmmon_auditor;
