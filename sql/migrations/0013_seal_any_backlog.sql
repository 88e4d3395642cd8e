-- Sealing takes the time of what it seals, whatever the planner believes of the queue. Autovacuum often meets an empty
-- queue and notes that it holds nothing; a burst of events was then taken from it by comparing each with each, and one
-- round of 20,000 took a quarter of an hour. Now a round is what lies up to a number. An event of a lower number that is
-- committed meanwhile joins the round, so that it can be a little larger than `max_events`.
CREATE OR REPLACE FUNCTION audit.seal(max_events bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  last   bigint;
  before bigint;
  after  bigint;
  level  integer := 1;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('audit.seal')) THEN
    RETURN NULL;
  END IF;
  last := (SELECT max(event_id) FROM (SELECT event_id FROM audit.pending ORDER BY event_id LIMIT max_events) AS round);
  before := coalesce((SELECT max(seq) + 1 FROM audit.leaf), 0);
  WITH taken AS (
    DELETE FROM audit.pending WHERE event_id <= last RETURNING event_id
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
