-- How the error budget of one deployment was spent, window by window.
SELECT window_start, alpha, n_streams, n_learning, n_alarmed, largest_e, threshold_e, decided_at
  FROM llmmon.alarm_budget
 WHERE deployment = %(deployment)s AND window_start >= %(first)s AND window_start <= %(last)s
 ORDER BY window_start;
