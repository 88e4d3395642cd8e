-- What the newest certification of one deployment showed: per fault the smallest size that four fifths of runs noticed, or the largest tried.
WITH newest AS (
  SELECT certification_id, certified_at, n_missing_windows, n_windows, n_watched * window_hours AS watched_hours, window_hours
    FROM llmmon.certification
   WHERE deployment = %(deployment)s
   ORDER BY certification_id DESC
   LIMIT 1
), shown AS (
  SELECT DISTINCT ON (r.fault) r.*, r.share_detected >= 0.8 AND r.fault <> 'none' AS is_noticed
    FROM newest
    JOIN llmmon.certification_result AS r USING (certification_id)
   WHERE r.monitor = '*'
   ORDER BY r.fault, r.share_detected >= 0.8 DESC NULLS LAST,
            CASE WHEN r.share_detected >= 0.8 THEN r.place ELSE -r.place END
)
SELECT n.certified_at, n.n_missing_windows, n.n_windows, n.watched_hours,
       s.fault, s.size, s.size_unit, s.share_detected, s.low, s.high, s.n_runs, s.is_noticed, s.reason,
       s.median_delay_windows * n.window_hours AS median_delay_hours,
       (SELECT array_agg(other.monitor ORDER BY other.place)
          FROM llmmon.certification_result AS other
         WHERE other.certification_id = s.certification_id AND other.fault = s.fault AND other.size = s.size
           AND other.monitor <> '*' AND other.n_detected > 0) AS monitors
  FROM newest AS n
  LEFT JOIN shown AS s ON true
 ORDER BY s.fault <> 'none', s.place;
