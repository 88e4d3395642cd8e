-- Writes the sketches of one window, given as a JSON list.
INSERT INTO llmmon.latency_sketch (deployment, segment, field, window_start, window_end, n_requests, n_failed, n_missing, n,
                                   buckets, counts)
SELECT %(deployment)s, segment, field, %(start)s, %(end)s, n_requests, n_failed, n_missing, n, buckets, counts
  FROM jsonb_to_recordset(%(sketches)s::jsonb)
    AS (segment text, field text, n_requests bigint, n_failed bigint, n_missing bigint, n bigint, buckets smallint[], counts integer[])
