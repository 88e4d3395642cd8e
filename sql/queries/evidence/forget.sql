-- Removes the evidence of windows of streams that were given up after they had been judged.
DELETE FROM llmmon.evidence AS known
 USING unnest(%(monitors)s::text[], %(segments)s::text[], %(starts)s::timestamptz[]) AS gone (monitor, segment, window_start)
 WHERE known.deployment = %(deployment)s AND known.monitor = gone.monitor AND known.segment = gone.segment
   AND known.window_start = gone.window_start
