-- How the responses to those requests were judged.
SELECT request_key, lane, variant, repeat, scorer, value, label, reason
  FROM llmmon.score
 WHERE request_key = ANY (%(request_keys)s::bigint[]) AND deployment = %(deployment)s
   AND window_start = %(window_start)s
 ORDER BY request_key, lane, variant, repeat, scorer;
