-- How many deliveries wait for another attempt, and how many were given up.
SELECT count(*) FILTER (WHERE state = 'pending') AS n_pending, count(*) FILTER (WHERE state = 'dead') AS n_dead
  FROM llmmon.delivery
