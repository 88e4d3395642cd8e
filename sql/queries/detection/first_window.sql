-- Where a deployment's windows begin, the first of them that is not yet measured or given up again, and the newest changes.
WITH known AS (
  SELECT least((SELECT min(occurred_at) FROM llmmon.request_log WHERE deployment = %(deployment)s),
               (SELECT min(window_start) FROM llmmon.window_stage WHERE deployment = %(deployment)s)) AS first_at
), bounds AS (
  SELECT date_bin(%(length)s, greatest(first_at, %(active_from)s), %(grid)s) AS first_start
    FROM known
   WHERE first_at IS NOT NULL
)
SELECT first_start,
       (SELECT min(window_start)
          FROM llmmon.window_stage
         WHERE deployment = %(deployment)s AND stage = 'measure' AND state NOT IN ('done', 'expired')
           AND window_start >= first_start) AS unfinished_start,
       coalesce((SELECT max(change_id) FROM llmmon.measurement WHERE deployment = %(deployment)s), 0)
         AS measurement_change_id,
       coalesce((SELECT max(change_id) FROM llmmon.window_stage WHERE deployment = %(deployment)s AND stage = 'measure'), 0)
         AS stage_change_id
  FROM bounds
