-- Mergeable sketches of latencies, so that a day, a week and any segment come from hours; and service level objectives.
-- A sketch is a histogram over buckets (g^(b-1), g^b] with g = 1.01 / 0.99, so that every value in a bucket is within 1% of
-- its middle 2 g^b / (g + 1): DDSketch, Masson, Rim and Lee, PVLDB 12 (2019). Bucket -32768 holds zeros.
CREATE TABLE llmmon.latency_sketch (
  deployment   text        NOT NULL,
  segment      text        NOT NULL,
  field        text        NOT NULL,
  window_start timestamptz NOT NULL,
  window_end   timestamptz NOT NULL,
  n_requests   bigint      NOT NULL,
  n_failed     bigint      NOT NULL,
  n_missing    bigint      NOT NULL,
  n            bigint      NOT NULL,
  buckets      smallint[]  NOT NULL,
  counts       integer[]   NOT NULL,
  sketched_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, field, segment, window_start),
  CONSTRAINT every_request_is_accounted_for CHECK (n_requests = n_failed + n_missing + n AND least(n_failed, n_missing, n) >= 0)
);
COMMENT ON COLUMN llmmon.latency_sketch.n_failed IS 'Requests that failed; they are in no bucket.';
COMMENT ON COLUMN llmmon.latency_sketch.n_missing IS 'Requests that succeeded and have no value: not logged, or not plausible (below 0).';
COMMENT ON COLUMN llmmon.latency_sketch.buckets IS 'Bucket numbers, ascending; counts says how many values each holds.';

CREATE TABLE llmmon.latency_day (
  deployment         text        NOT NULL,
  segment            text        NOT NULL,
  field              text        NOT NULL,
  day                date        NOT NULL,
  n_windows          integer     NOT NULL,
  n_windows_expected integer     NOT NULL,
  n_requests         bigint      NOT NULL,
  n_failed           bigint      NOT NULL,
  n_missing          bigint      NOT NULL,
  n                  bigint      NOT NULL,
  buckets            smallint[]  NOT NULL,
  counts             bigint[]    NOT NULL,
  rolled_up_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, field, segment, day)
);
COMMENT ON TABLE llmmon.latency_day IS 'The sketches of a day merged; they outlive those of its windows.';
COMMENT ON COLUMN llmmon.latency_day.n_windows IS 'Windows of the day that were measured, of n_windows_expected.';

CREATE TABLE llmmon.slo (
  deployment     text             NOT NULL,
  slo            text             NOT NULL,
  objective      double precision NOT NULL CHECK (objective > 0 AND objective < 1),
  days           integer          NOT NULL CHECK (days > 0),
  segment        text             NOT NULL,
  field          text             NOT NULL,
  limit_ms       double precision CHECK (limit_ms > 0),
  fails_count    boolean          NOT NULL,
  description    text             NOT NULL,
  config_digest  text             NOT NULL,
  PRIMARY KEY (deployment, slo),
  CONSTRAINT something_breaks_it CHECK (limit_ms IS NOT NULL OR fails_count)
);
COMMENT ON TABLE llmmon.slo IS 'Service level objectives in force, as configured when the last window was measured.';

-- Returns the middle of a bucket, which is within 1% of every value in it.
CREATE FUNCTION llmmon.bucket_value(bucket integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN bucket = -32768 THEN 0 ELSE 2 * power(1.01 / 0.99, bucket::double precision) / (1.01 / 0.99 + 1) END;

-- Returns the bucket of a value of 0 or more.
CREATE FUNCTION llmmon.bucket_of(value double precision) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value <= 1e-6 THEN -32768 ELSE ceil(ln(value) / ln(1.01::double precision / 0.99))::integer END;

-- Returns the quantiles `levels` of a histogram, interpolated between rows as percentile_cont does; null when it is empty.
CREATE FUNCTION llmmon.histogram_quantiles(buckets smallint[], counts bigint[], levels double precision[]) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH cumulative AS MATERIALIZED (
    SELECT llmmon.bucket_value(b.bucket) AS value, sum(b.n) OVER (ORDER BY b.bucket) AS upto, sum(b.n) OVER () AS total
      FROM unnest(buckets, counts) AS b (bucket, n)
  ), wanted AS (
    SELECT l.place, l.level, l.level * (c.total - 1)::double precision AS rank
      FROM unnest(levels) WITH ORDINALITY AS l (level, place)
     CROSS JOIN (SELECT max(total) AS total FROM cumulative) AS c
  ), found AS (
    SELECT w.place, w.rank, min(c.value) FILTER (WHERE c.upto > floor(w.rank)) AS low, min(c.value) FILTER (WHERE c.upto > ceil(w.rank)) AS high
      FROM wanted AS w
     CROSS JOIN cumulative AS c
     GROUP BY w.place, w.rank
  )
  SELECT array_agg(low + (high - low) * (rank - floor(rank)) ORDER BY place) FROM found;
END;

-- Returns the latency quantiles of every segment over the windows that start in [from_at, until_at), from their sketches:
-- within 1% of percentile_cont over the requests that succeeded. Failed requests and those without a value are counted.
CREATE FUNCTION llmmon.latency_quantiles(of_deployment text, from_at timestamptz, until_at timestamptz, of_segment text DEFAULT NULL)
RETURNS TABLE (segment text, field text, p50 double precision, p90 double precision, p95 double precision, p99 double precision,
               n bigint, n_failed bigint, n_missing bigint, n_windows bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH chosen AS (
    SELECT s.segment, s.field, s.window_start, s.n, s.n_failed, s.n_missing, s.buckets, s.counts
      FROM llmmon.latency_sketch AS s
     WHERE s.deployment = of_deployment
       AND s.window_start >= from_at
       AND s.window_start < until_at
       AND (of_segment IS NULL OR s.segment = of_segment)
  ), counted AS (
    SELECT c.segment, c.field, sum(c.n)::bigint AS n, sum(c.n_failed)::bigint AS n_failed, sum(c.n_missing)::bigint AS n_missing,
           count(*) AS n_windows
      FROM chosen AS c
     GROUP BY c.segment, c.field
  ), summed AS (
    SELECT b.segment, b.field, b.bucket, sum(b.n)::bigint AS n
      FROM (SELECT c.segment, c.field, unnest(c.buckets) AS bucket, unnest(c.counts) AS n FROM chosen AS c) AS b
     GROUP BY b.segment, b.field, b.bucket
  ), merged AS (
    SELECT s.segment, s.field, llmmon.histogram_quantiles(array_agg(s.bucket), array_agg(s.n), '{0.5,0.9,0.95,0.99}') AS q
      FROM summed AS s
     GROUP BY s.segment, s.field
  )
  SELECT c.segment, c.field, m.q[1], m.q[2], m.q[3], m.q[4], c.n, c.n_failed, c.n_missing, c.n_windows
    FROM counted AS c
    LEFT JOIN merged AS m USING (segment, field)
   ORDER BY c.segment, c.field;
END;

DO $$
DECLARE item text;
BEGIN
  FOREACH item IN ARRAY ARRAY['latency_sketch', 'latency_day', 'slo'] LOOP
    EXECUTE format('ALTER TABLE llmmon.%I OWNER TO llmmon_owner', item);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON llmmon.%I TO llmmon_writer', item);
    EXECUTE format('GRANT SELECT ON llmmon.%I TO llmmon_analyst', item);
  END LOOP;
  FOREACH item IN ARRAY ARRAY['bucket_value(integer)', 'bucket_of(double precision)',
    'histogram_quantiles(smallint[], bigint[], double precision[])',
    'latency_quantiles(text, timestamptz, timestamptz, text)'] LOOP
    EXECUTE format('ALTER FUNCTION llmmon.%s OWNER TO llmmon_owner', item);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION llmmon.%s FROM PUBLIC', item);
    EXECUTE format('GRANT EXECUTE ON FUNCTION llmmon.%s TO llmmon_writer, llmmon_analyst', item);
  END LOOP;
END $$;
