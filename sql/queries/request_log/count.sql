-- How many requests one deployment had in one window.
SELECT count(*) AS n
  FROM llmmon.request_log
 WHERE deployment = %(deployment)s
   AND occurred_at >= %(start)s
   AND occurred_at < %(end)s
