-- The newest version of every measurement of some streams, each from a window of its own on, in windows that were not given up.
SELECT latest.measurement_id, latest.monitor, latest.segment, latest.window_start, latest.window_end, latest.value,
       latest.low, latest.high, latest.n, latest.unit, latest.reason, latest.detail
  FROM unnest(%(monitors)s::text[], %(segments)s::text[], %(since)s::timestamptz[]) AS stream (monitor, segment, since)
 CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.window_start) m.*
      FROM llmmon.measurement AS m
     WHERE m.deployment = %(deployment)s AND m.monitor = stream.monitor AND m.segment = stream.segment
       AND m.window_start >= stream.since AND m.window_start < %(until)s
     ORDER BY m.window_start, m.version DESC) AS latest
  JOIN llmmon.window_stage AS stage
    ON stage.deployment = %(deployment)s AND stage.window_start = latest.window_start
   AND stage.stage = 'measure' AND stage.state = 'done'
 ORDER BY latest.monitor, latest.segment, latest.window_start
