-- Writes one certification with its results, and returns its number.
WITH run AS (
  INSERT INTO llmmon.certification (deployment, window_start, window_end, n_windows, n_missing_windows, window_hours,
                                    alpha, n_watched, n_runs, provenance_id)
  VALUES (%(deployment)s, %(start)s, %(end)s, %(n_windows)s, %(n_missing_windows)s, %(window_hours)s, %(alpha)s,
          %(n_watched)s, %(n_runs)s, %(provenance_id)s)
  RETURNING certification_id
), results AS (
  INSERT INTO llmmon.certification_result (certification_id, place, monitor, fault, size, size_unit, n_runs, n_detected,
                                           share_detected, low, high, median_delay_windows, effect, min_effect, unit, reason)
  SELECT run.certification_id, row.place, row.monitor, row.fault, row.size, row.size_unit, row.n_runs, row.n_detected,
         row.share_detected, row.low, row.high, row.median_delay_windows, row.effect, row.min_effect, row.unit, row.reason
    FROM run
   CROSS JOIN jsonb_to_recordset(%(results)s::jsonb)
      AS row (place integer, monitor text, fault text, size double precision, size_unit text, n_runs integer,
              n_detected integer,
              share_detected double precision, low double precision, high double precision,
              median_delay_windows double precision, effect double precision, min_effect double precision, unit text, reason text)
)
SELECT certification_id FROM run
