-- The sealed ledger: one sealer gives every event of the audit trail a place in a Merkle tree (RFC 9162), whose heads an
-- anchorer outside the pipeline recomputes, signs and sends away. See docs/decisions/0008 and docs/auditor.md.

-- Roles: each does one thing. The eraser's rights come with what it erases.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['llmmon_sealer', 'llmmon_anchorer', 'llmmon_eraser'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END $$;

-- JSON text needs no raw control character, so that a trail can be written out one event a line without escapes.
ALTER TABLE audit.event ADD CONSTRAINT body_is_one_line CHECK (body !~ '[\x01-\x1f]');

CREATE TABLE audit.pending (event_id bigint PRIMARY KEY)
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
COMMENT ON TABLE audit.pending IS 'Events that wait for the sealer; filled with the event, in its transaction.';

CREATE TABLE audit.leaf (
  seq      bigint PRIMARY KEY,
  event_id bigint NOT NULL UNIQUE,
  hash     bytea  NOT NULL
);
COMMENT ON TABLE audit.leaf IS 'Place of each sealed event, counted from 0 without a gap, and SHA-256(0x00 || recorded_us as 8 bytes || body).';

CREATE TABLE audit.node (
  lvl  smallint NOT NULL,
  idx  bigint   NOT NULL,
  hash bytea    NOT NULL,
  PRIMARY KEY (lvl, idx)
);
COMMENT ON TABLE audit.node IS 'Complete subtrees: node (lvl, idx) covers the leaves from idx * 2^lvl on, 2^lvl of them.';

CREATE TABLE audit.seal (
  size      bigint      PRIMARY KEY,
  root      bytea       NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit.seal IS 'Heads as the database tells them; only those that were signed and sent away prove anything.';

CREATE TABLE audit.anchor (
  anchor_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  size        bigint      NOT NULL,
  channel     text        NOT NULL,
  checkpoint  text        NOT NULL,
  receipt     text        NOT NULL,
  anchored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit.anchor IS 'What the anchorer sent where: for reading only, the proof is what the channel received.';

-- Every table of the ledger is append-only, also for whoever turns ordinary triggers off with session_replication_role.
CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'audit.% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$
DECLARE item text;
BEGIN
  FOREACH item IN ARRAY ARRAY['leaf', 'node', 'seal', 'anchor'] LOOP
    EXECUTE format('CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON audit.%I'
                   ' FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', item);
    EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON audit.%I'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', item);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only_rows', item);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only_table', item);
  END LOOP;
END $$;

CREATE FUNCTION audit.enqueue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO audit.pending SELECT event_id FROM added;
  RETURN NULL;
END $$;
CREATE TRIGGER to_be_sealed AFTER INSERT ON audit.event
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit.enqueue();
ALTER TABLE audit.event ENABLE ALWAYS TRIGGER to_be_sealed;
INSERT INTO audit.pending SELECT event_id FROM audit.event;

-- The bytes of an event that are hashed.
CREATE FUNCTION audit.leaf_hash(recorded_us bigint, body text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$$ SELECT sha256('\x00'::bytea || int8send(recorded_us) || convert_to(body, 'UTF8')) $$;

-- The exponent of the largest power of two that is at most `n`, for n > 0.
CREATE FUNCTION audit.log2(n bigint) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$$ SELECT 64 - position('1' IN (n::bit(64))::text) $$;

-- MTH of RFC 9162, section 2.1.1, over the leaves from `lo` to before `hi`; null where a hash is missing.
CREATE FUNCTION audit.tree_hash(lo bigint, hi bigint) RETURNS bytea
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  n bigint := hi - lo;
  k bigint;
BEGIN
  IF n < 0 THEN
    RAISE EXCEPTION 'there are no leaves from % to before %', lo, hi USING ERRCODE = 'invalid_parameter_value';
  ELSIF n = 0 THEN
    RETURN sha256(''::bytea);
  ELSIF n = 1 THEN
    RETURN (SELECT hash FROM audit.leaf WHERE seq = lo);
  ELSIF n & (n - 1) = 0 THEN
    RETURN (SELECT hash FROM audit.node WHERE lvl = audit.log2(n) AND idx = lo / n);
  END IF;
  k := 1::bigint << audit.log2(n - 1);
  RETURN sha256('\x01'::bytea || audit.tree_hash(lo, lo + k) || audit.tree_hash(lo + k, hi));
END $$;

-- PATH(m, D[lo:hi]) of RFC 9162, section 2.1.3.1: the hashes that prove leaf `m`, nearest first.
CREATE FUNCTION audit.inclusion_proof(m bigint, lo bigint, hi bigint) RETURNS bytea[]
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE k bigint;
BEGIN
  IF NOT (lo <= m AND m < hi) THEN
    RAISE EXCEPTION 'leaf % is not in a tree of leaves % to %', m, lo, hi - 1 USING ERRCODE = 'invalid_parameter_value';
  ELSIF hi - lo = 1 THEN
    RETURN '{}';
  END IF;
  k := 1::bigint << audit.log2(hi - lo - 1);
  IF m < lo + k THEN
    RETURN audit.inclusion_proof(m, lo, lo + k) || audit.tree_hash(lo + k, hi);
  END IF;
  RETURN audit.inclusion_proof(m, lo + k, hi) || audit.tree_hash(lo, lo + k);
END $$;

-- SUBPROOF(m, D[lo:hi], known) of RFC 9162, section 2.1.4.1; PROOF(m, D_n) is consistency_proof(m, 0, n, true).
CREATE FUNCTION audit.consistency_proof(m bigint, lo bigint, hi bigint, known boolean DEFAULT true) RETURNS bytea[]
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE k bigint;
BEGIN
  IF NOT (lo < m AND m <= hi) THEN
    RAISE EXCEPTION 'a tree of % leaves cannot grow to %', m, hi USING ERRCODE = 'invalid_parameter_value';
  ELSIF m = hi THEN
    RETURN CASE WHEN known THEN '{}'::bytea[] ELSE ARRAY[audit.tree_hash(lo, hi)] END;
  END IF;
  k := 1::bigint << audit.log2(hi - lo - 1);
  IF m <= lo + k THEN
    RETURN audit.consistency_proof(m, lo, lo + k, known) || audit.tree_hash(lo + k, hi);
  END IF;
  RETURN audit.consistency_proof(m, lo + k, hi, false) || audit.tree_hash(lo, lo + k);
END $$;

-- Seals up to `max_events` waiting events in order of their numbers and returns how many; null when another sealer works.
CREATE FUNCTION audit.seal(max_events bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before bigint;
  after  bigint;
  level  integer := 1;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('audit.seal')) THEN
    RETURN NULL;
  END IF;
  before := coalesce((SELECT max(seq) + 1 FROM audit.leaf), 0);
  WITH taken AS (
    DELETE FROM audit.pending
     WHERE event_id IN (SELECT event_id FROM audit.pending ORDER BY event_id LIMIT max_events)
    RETURNING event_id
  )
  INSERT INTO audit.leaf (seq, event_id, hash)
  SELECT before - 1 + row_number() OVER (ORDER BY event_id), event_id, audit.leaf_hash(recorded_us, body)
    FROM taken
    JOIN audit.event USING (event_id);
  after := coalesce((SELECT max(seq) + 1 FROM audit.leaf), 0);
  IF after = before THEN
    RETURN 0;
  END IF;
  WHILE after >> level > 0 LOOP
    INSERT INTO audit.node (lvl, idx, hash)
    SELECT level, pair, sha256('\x01'::bytea || l.hash || r.hash)
      FROM generate_series(before >> level, (after >> level) - 1) AS pair
      JOIN LATERAL (SELECT hash FROM audit.leaf WHERE level = 1 AND seq = 2 * pair
                    UNION ALL SELECT hash FROM audit.node WHERE lvl = level - 1 AND idx = 2 * pair) l ON true
      JOIN LATERAL (SELECT hash FROM audit.leaf WHERE level = 1 AND seq = 2 * pair + 1
                    UNION ALL SELECT hash FROM audit.node WHERE lvl = level - 1 AND idx = 2 * pair + 1) r ON true;
    level := level + 1;
  END LOOP;
  INSERT INTO audit.seal (size, root) VALUES (after, audit.tree_hash(0, after));
  RETURN after - before;
END $$;

-- Logins can be made members of every group role but the owner.
CREATE OR REPLACE FUNCTION llmmon.create_login(login_name text, verifier text, member_of text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF member_of = 'llmmon_owner'
     OR member_of NOT IN (SELECT rolname FROM pg_roles WHERE rolname LIKE 'llmmon\_%' AND NOT rolcanlogin) THEN
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

DO $$
DECLARE item text;
BEGIN
  FOREACH item IN ARRAY ARRAY['pending', 'leaf', 'node', 'seal', 'anchor'] LOOP
    EXECUTE format('ALTER TABLE audit.%I OWNER TO llmmon_owner', item);
  END LOOP;
  FOR item IN SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'audit'::regnamespace LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO llmmon_owner', item);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', item);
  END LOOP;
  IF to_regclass('llmmon_alembic_version') IS NOT NULL THEN
    GRANT SELECT ON llmmon_alembic_version TO llmmon_sealer, llmmon_eraser;
  END IF;
END $$;

-- The sealer grows the tree and shows that it lives; it reads no event.
GRANT USAGE ON SCHEMA audit TO llmmon_sealer;
GRANT EXECUTE ON FUNCTION audit.seal(bigint) TO llmmon_sealer;
GRANT INSERT (body) ON audit.event TO llmmon_sealer;
GRANT SELECT ON audit.seal TO llmmon_sealer;

-- Everybody who reads the trail reads the tree over it; the anchorer notes besides what it sent where.
GRANT SELECT ON audit.pending, audit.leaf, audit.node, audit.seal, audit.anchor TO llmmon_auditor, llmmon_writer;
GRANT EXECUTE ON FUNCTION audit.leaf_hash(bigint, text), audit.log2(bigint), audit.tree_hash(bigint, bigint),
  audit.inclusion_proof(bigint, bigint, bigint), audit.consistency_proof(bigint, bigint, bigint, boolean)
  TO llmmon_auditor, llmmon_writer;
GRANT llmmon_auditor TO llmmon_anchorer;
GRANT INSERT (size, channel, checkpoint, receipt) ON audit.anchor TO llmmon_anchorer;
