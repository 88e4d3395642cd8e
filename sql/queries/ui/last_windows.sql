-- The newest windows of one deployment that have measurements, as the range to show.
SELECT min(window_start) AS first, max(window_start) AS last, count(*) AS n_windows
  FROM (SELECT window_start
          FROM llmmon.window_stage
         WHERE deployment = %(deployment)s AND stage = 'measure' AND window_start <= %(until)s
         ORDER BY window_start DESC
         LIMIT %(n_windows)s) newest;
