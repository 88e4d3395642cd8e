-- Where every stream of a deployment stands and what it remembers.
SELECT monitor, segment, state, first_window_start, restarts, memory
  FROM llmmon.stream_state
 WHERE deployment = %(deployment)s
 ORDER BY monitor, segment
