-- Who may do what. Nobody but the owner, who cannot log in, may change the schema; nobody may change the audit trail.
DO $$
DECLARE item text;
BEGIN
  -- to give something away one must be a member of the role that takes it, and on a managed server nobody is a superuser
  IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    IF NOT pg_has_role(current_user, 'llmmon_owner', 'MEMBER') THEN
      EXECUTE format('GRANT llmmon_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO llmmon_owner', current_database());
  END IF;
  FOREACH item IN ARRAY ARRAY['llmmon', 'audit', 'compliance'] LOOP
    EXECUTE format('ALTER SCHEMA %I OWNER TO llmmon_owner', item);
  END LOOP;
  FOR item IN SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
               WHERE c.relnamespace IN ('llmmon'::regnamespace, 'audit'::regnamespace) AND c.relkind IN ('r', 'p', 'v') LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO llmmon_owner', item);
  END LOOP;
  FOR item IN SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
               WHERE p.pronamespace IN ('llmmon'::regnamespace, 'audit'::regnamespace) LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO llmmon_owner', item);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', item);
  END LOOP;
END $$;

-- Who connects must be able to see whether schema and code belong together.
DO $$
BEGIN
  IF to_regclass('llmmon_alembic_version') IS NOT NULL THEN
    GRANT SELECT ON llmmon_alembic_version TO llmmon_writer, llmmon_analyst;
  END IF;
END $$;

-- A view reads with the rights of whoever asks, not of its owner.
ALTER VIEW llmmon.measurement_latest SET (security_invoker = true);

-- The pipeline. Facts about the past (alert events, attempts, reviews, provenance, audit) it can add but not change.
GRANT USAGE ON SCHEMA llmmon, audit, compliance TO llmmon_writer;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA llmmon TO llmmon_writer;
REVOKE INSERT ON llmmon.measurement_latest FROM llmmon_writer;
GRANT UPDATE ON llmmon.source_cursor, llmmon.ingest_batch, llmmon.sample, llmmon.response, llmmon.score,
  llmmon.measurement, llmmon.evidence, llmmon.stream_state, llmmon.alarm_budget, llmmon.report, llmmon.coverage,
  llmmon.window_stage, llmmon.alert, llmmon.delivery TO llmmon_writer;
GRANT DELETE ON llmmon.quarantine, llmmon.sample, llmmon.response, llmmon.score, llmmon.report, llmmon.coverage
  TO llmmon_writer;
GRANT USAGE ON SEQUENCE llmmon.ingest_batch_batch_id_seq TO llmmon_writer;  -- queries/ingest_batch/reserve.sql
GRANT EXECUTE ON FUNCTION llmmon.ensure_day_partition(date), llmmon.drop_day_partition(date) TO llmmon_writer;
GRANT INSERT (body), SELECT ON audit.event TO llmmon_writer;
GRANT SELECT ON audit.trail TO llmmon_writer;

-- Analysts: every number, and no text that a user or a model wrote.
GRANT USAGE ON SCHEMA llmmon TO llmmon_analyst;
GRANT SELECT ON llmmon.ingest_batch, llmmon.request_identity, llmmon.provenance, llmmon.sample, llmmon.measurement, llmmon.measurement_latest,
  llmmon.evidence, llmmon.stream_state, llmmon.alarm_budget, llmmon.coverage, llmmon.window_stage, llmmon.alert,
  llmmon.delivery, llmmon.delivery_attempt TO llmmon_analyst;
GRANT SELECT (request_key, occurred_at, source, request_id, batch_id, deployment, model, model_version, route, tenant,
  language, status, error_type, finish_reason, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, feedback,
  groups, tags, cleaned, digest) ON llmmon.request_log TO llmmon_analyst;
GRANT SELECT (response_id, sample_id, request_key, deployment, window_start, lane, variant, repeat, state, reason,
  finish_reason, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, mean_logprob, logged_mean_logprob, provenance_id,
  responded_at) ON llmmon.response TO llmmon_analyst;
GRANT SELECT (score_id, request_key, deployment, window_start, lane, variant, repeat, scorer, value, label, reason,
  provenance_id, scored_at) ON llmmon.score TO llmmon_analyst;
GRANT SELECT (quarantine_id, batch_id, source, file, byte_offset, code, raw_digest, received_at) ON llmmon.quarantine
  TO llmmon_analyst;
GRANT SELECT (report_id, deployment, window_start, window_end, renderer, rendered_at) ON llmmon.report TO llmmon_analyst;
GRANT SELECT (alert_event_id, alert_id, event, actor, happened_at) ON llmmon.alert_event TO llmmon_analyst;
GRANT SELECT (review_id, subject, subject_id, label, reviewer, reviewed_at) ON llmmon.review TO llmmon_analyst;

-- Auditors: the same facts, the audit trail and the compliance views; the notes people wrote, but no payload.
GRANT llmmon_analyst TO llmmon_auditor;
GRANT USAGE ON SCHEMA audit, compliance TO llmmon_auditor;
GRANT SELECT ON audit.event, audit.trail, llmmon.alert_event, llmmon.review TO llmmon_auditor;

-- Makes the compliance view `view_name` of the query `definition` anew when its file changed; returns whether it did.
CREATE FUNCTION compliance.replace_view(view_name text, definition text, purpose text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told text := purpose || E'\nsha256 ' || encode(sha256(convert_to(definition, 'UTF8')), 'hex');
BEGIN
  IF obj_description(to_regclass(format('compliance.%I', view_name)), 'pg_class') = told THEN
    RETURN false;
  END IF;
  EXECUTE format('DROP VIEW IF EXISTS compliance.%I', view_name);
  EXECUTE format('CREATE VIEW compliance.%I WITH (security_invoker = true) AS %s', view_name, definition);
  EXECUTE format('COMMENT ON VIEW compliance.%I IS %L', view_name, told);
  EXECUTE format('ALTER VIEW compliance.%I OWNER TO llmmon_owner', view_name);
  EXECUTE format('GRANT SELECT ON compliance.%I TO llmmon_auditor, llmmon_writer', view_name);
  RETURN true;
END $$;

-- Drops the compliance views whose file is gone.
CREATE FUNCTION compliance.drop_views_except(view_names text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE gone text;
BEGIN
  FOR gone IN SELECT viewname FROM pg_views WHERE schemaname = 'compliance' AND viewname <> ALL (view_names) LOOP
    EXECUTE format('DROP VIEW compliance.%I', gone);
  END LOOP;
END $$;

-- Makes a login that is a member of one group role or of none, or gives an existing one a new password; `verifier` is SCRAM's.
CREATE FUNCTION llmmon.create_login(login_name text, verifier text, member_of text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF member_of NOT IN ('llmmon_writer', 'llmmon_analyst', 'llmmon_auditor') THEN
    RAISE EXCEPTION '% is not a role that logins are given', member_of USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = login_name) THEN
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', login_name, verifier);
  ELSE
    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', login_name, verifier);
  END IF;
  IF member_of IS NOT NULL THEN
    EXECUTE format('GRANT %I TO %I', member_of, login_name);
  END IF;
END $$;

ALTER FUNCTION compliance.replace_view(text, text, text) OWNER TO llmmon_owner;
ALTER FUNCTION compliance.drop_views_except(text[]) OWNER TO llmmon_owner;
ALTER FUNCTION llmmon.create_login(text, text, text) OWNER TO llmmon_owner;
REVOKE EXECUTE ON FUNCTION compliance.replace_view(text, text, text), compliance.drop_views_except(text[]),
  llmmon.create_login(text, text, text) FROM PUBLIC;
