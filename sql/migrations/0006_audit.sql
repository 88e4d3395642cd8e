-- The audit trail: one fact per row, appended by the transaction that made it true, never changed.
-- body is the exact text that sealing will hash; what is queried is a view over it (see docs/decisions/0003).
CREATE TABLE audit.event (
  event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recorded_us bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint,
  body        text   NOT NULL CHECK (body::jsonb ?& ARRAY['event', 'actor', 'code_version', 'config_digest', 'subject'])
);
COMMENT ON TABLE audit.event IS 'Append-only. recorded_us is the database clock; body is JSON text kept byte for byte.';

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit.event is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON audit.event
  FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON audit.event
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.event ENABLE ALWAYS TRIGGER append_only_rows;
ALTER TABLE audit.event ENABLE ALWAYS TRIGGER append_only_table;

CREATE VIEW audit.trail WITH (security_invoker = true) AS
  SELECT event_id,
         to_timestamp(recorded_us / 1e6)       AS recorded_at,
         body::jsonb ->> 'event'               AS event,
         body::jsonb ->> 'actor'               AS actor,
         body::jsonb ->> 'subject'             AS subject,
         body::jsonb ->> 'code_version'        AS code_version,
         body::jsonb ->> 'config_digest'       AS config_digest,
         body::jsonb -> 'detail'               AS detail
    FROM audit.event;
