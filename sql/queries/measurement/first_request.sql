-- When the first known request of a deployment happened; no row where there is none.
SELECT occurred_at
  FROM llmmon.request_log
 WHERE deployment = %(deployment)s
 ORDER BY occurred_at
 LIMIT 1
