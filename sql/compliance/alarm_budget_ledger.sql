-- Alarm budget: per deployment and window, the allowed error probability, how many streams were tested, the evidence an
-- alarm needed, the strongest stream, and the alerts that were opened. So a false alarm has a stated price, and silence too.
-- Duties: AI Act Art. 15 (accuracy, declared metrics), 72 (monitoring plan); NIST AI RMF MEASURE 2.4 and 4.2.
SELECT b.deployment,
       b.window_start,
       b.alpha,
       b.n_streams,
       b.n_learning                AS n_without_evidence,
       b.threshold_e,
       strongest.monitor           AS strongest_monitor,
       strongest.segment           AS strongest_segment,
       b.largest_e,
       b.n_alarmed                 AS n_significant,
       opened.n                    AS n_alerts_opened,
       b.decided_at
  FROM llmmon.alarm_budget AS b
  LEFT JOIN LATERAL (
    SELECT e.monitor, e.segment
      FROM llmmon.evidence AS e
     WHERE e.deployment = b.deployment AND e.window_start = b.window_start AND e.e_value IS NOT NULL
     ORDER BY e.e_value DESC, e.monitor, e.segment
     LIMIT 1) AS strongest ON true
 CROSS JOIN LATERAL (
    SELECT count(*) AS n
      FROM llmmon.alert AS a
     WHERE a.deployment = b.deployment AND a.window_start = b.window_start) AS opened
 ORDER BY b.deployment, b.window_start
