-- How many of some requests are known already, by hour.
SELECT date_bin('1 hour', occurred_at, '2000-01-01T00:00Z') AS hour, count(*) AS n
  FROM llmmon.request_identity
 WHERE source = %(source)s
   AND request_id = ANY (%(request_ids)s)
 GROUP BY 1
