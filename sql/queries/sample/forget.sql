-- Forget the samples that a draw over more rows no longer holds, with their replays and the scores of those replays.
WITH gone AS (
  SELECT sample_id, request_key
    FROM llmmon.sample
   WHERE deployment = %(deployment)s AND window_start = %(window_start)s
     AND NOT (request_key = ANY (%(request_keys)s::bigint[]))
), forgotten_score AS (
  DELETE FROM llmmon.score
   WHERE deployment = %(deployment)s AND window_start = %(window_start)s AND lane <> 'logged'
     AND request_key IN (SELECT request_key FROM gone)
), forgotten_response AS (
  DELETE FROM llmmon.response WHERE sample_id IN (SELECT sample_id FROM gone)
)
DELETE FROM llmmon.sample WHERE sample_id IN (SELECT sample_id FROM gone)
