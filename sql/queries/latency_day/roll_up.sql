-- Merges the sketches of one day, and says of the whole how much of the day it covers.
WITH chosen AS (
  SELECT segment, field, window_start, window_end, n_requests, n_failed, n_missing, n, buckets, counts
    FROM llmmon.latency_sketch
   WHERE deployment = %(deployment)s
     AND window_start >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
     AND window_start < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
), covered AS (
  SELECT field, count(*)::integer AS n_windows, round(extract(epoch FROM interval '1 day') / extract(epoch FROM min(window_end - window_start)))::integer AS n_expected
    FROM chosen
   WHERE segment = 'all'
   GROUP BY field
), merged AS (
  SELECT segment, field, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(n ORDER BY bucket) AS counts
    FROM (SELECT c.segment, c.field, b.bucket, sum(b.n)::bigint AS n
            FROM chosen AS c
           CROSS JOIN LATERAL unnest(c.buckets, c.counts) AS b (bucket, n)
           GROUP BY c.segment, c.field, b.bucket) AS summed
   GROUP BY segment, field
), counted AS (
  SELECT segment, field, sum(n_requests) AS n_requests, sum(n_failed) AS n_failed, sum(n_missing) AS n_missing, sum(n) AS n
    FROM chosen
   GROUP BY segment, field
), kept AS (
  INSERT INTO llmmon.latency_day (deployment, segment, field, day, n_windows, n_windows_expected, n_requests, n_failed,
                                  n_missing, n, buckets, counts)
  SELECT %(deployment)s, c.segment, c.field, %(day)s, v.n_windows, v.n_expected, c.n_requests, c.n_failed, c.n_missing, c.n,
         coalesce(m.buckets, '{}'), coalesce(m.counts, '{}')
    FROM counted AS c
    JOIN covered AS v USING (field)
    LEFT JOIN merged AS m USING (segment, field)
  RETURNING segment, field, n_windows, n_windows_expected, n_requests, n_failed, n,
            llmmon.histogram_quantiles(buckets, counts, '{0.5,0.95}') AS quantiles
)
SELECT field, n_windows, n_windows_expected, n_requests, n_failed, n, quantiles[1] AS p50, quantiles[2] AS p95
  FROM kept
 WHERE segment = 'all'
 ORDER BY field
