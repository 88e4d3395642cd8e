-- Removes streams whose every window was given up after it had been judged.
DELETE FROM llmmon.stream_state AS known
 USING unnest(%(monitors)s::text[], %(segments)s::text[]) AS gone (monitor, segment)
 WHERE known.deployment = %(deployment)s AND known.monitor = gone.monitor AND known.segment = gone.segment
