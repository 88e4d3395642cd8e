-- Writes how the error budget of a deployment stood at some windows; a line that says the same is not touched.
INSERT INTO llmmon.alarm_budget (deployment, window_start, alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e)
SELECT %(deployment)s, window_start, alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e
  FROM json_to_recordset(%(rows)s) AS new (
         window_start timestamptz, alpha double precision, n_streams integer, n_learning integer, n_alarmed integer,
         largest_e double precision, threshold_e double precision)
ON CONFLICT (deployment, window_start) DO UPDATE
   SET alpha = excluded.alpha, n_streams = excluded.n_streams, n_learning = excluded.n_learning,
       n_alarmed = excluded.n_alarmed, largest_e = excluded.largest_e, threshold_e = excluded.threshold_e,
       decided_at = clock_timestamp()
 WHERE (alarm_budget.alpha, alarm_budget.n_streams, alarm_budget.n_learning, alarm_budget.n_alarmed,
        alarm_budget.largest_e, alarm_budget.threshold_e)
       IS DISTINCT FROM (excluded.alpha, excluded.n_streams, excluded.n_learning, excluded.n_alarmed,
                         excluded.largest_e, excluded.threshold_e)
