-- How many alerts are in each state.
SELECT state, count(*) AS n
  FROM llmmon.alert
 WHERE %(deployment)s::text IS NULL OR deployment = %(deployment)s
 GROUP BY state;
