-- Where the detector stands in every stream of one deployment, the strongest evidence first.
SELECT monitor, segment, state, window_start, e_value, reason
  FROM llmmon.stream_state
 WHERE deployment = %(deployment)s
 ORDER BY state = 'alarmed' DESC, e_value DESC NULLS LAST, monitor, segment;
