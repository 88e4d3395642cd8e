-- Detection power: per deployment, what the newest certification showed its monitors to notice. Each row is a monitor (* for all
-- of the deployment together), a planted fault and its size: how often it was noticed with its 95% interval, how soon, how far it
-- moves the monitor's value, and the smallest size that at least 80% of runs noticed. Fault none: nothing was planted, so what was noticed is a false alarm.
-- Duties: AI Act Art. 15 (accuracy, declared metrics), 72 (monitoring plan); NIST AI RMF MEASURE 2.13 (effectiveness of measures).
SELECT c.deployment,
       c.certified_at,
       r.monitor,
       r.fault,
       r.size,
       r.size_unit,
       r.share_detected,
       r.low,
       r.high,
       r.n_runs,
       r.n_detected,
       r.median_delay_windows,
       r.median_delay_windows * c.window_hours AS median_delay_hours,
       c.n_watched * c.window_hours            AS watched_hours,
       smallest.size                           AS smallest_size_noticed,
       r.effect,
       r.min_effect,
       r.unit,
       CASE WHEN c.n_missing_windows > 0
            THEN 'cannot tell yet: needs ' || c.n_missing_windows || ' more quiet windows'
            ELSE r.reason END                  AS reason,
       c.window_start,
       c.window_end,
       c.n_windows,
       c.alpha,
       p.seed,
       p.code_version,
       p.config_digest
  FROM (SELECT DISTINCT ON (deployment) *
          FROM llmmon.certification
         ORDER BY deployment, certification_id DESC) AS c
  JOIN llmmon.provenance AS p USING (provenance_id)
  LEFT JOIN llmmon.certification_result AS r USING (certification_id)
  LEFT JOIN LATERAL (
    SELECT s.size
      FROM llmmon.certification_result AS s
     WHERE s.certification_id = r.certification_id AND s.monitor = r.monitor AND s.fault = r.fault
       AND s.share_detected >= 0.8 AND s.fault <> 'none'
     ORDER BY s.place
     LIMIT 1) AS smallest ON true
 ORDER BY c.deployment, r.place
