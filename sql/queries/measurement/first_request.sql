-- When the first known request of a deployment happened, also if retention has removed it since: no row where there is none.
SELECT min(occurred_at) AS occurred_at
  FROM (SELECT min(occurred_at) AS occurred_at
          FROM llmmon.request_log
         WHERE deployment = %(deployment)s
        UNION ALL
        SELECT min(window_start)
          FROM llmmon.window_stage
         WHERE deployment = %(deployment)s
           AND n_requests > 0) AS known
HAVING min(occurred_at) IS NOT NULL
