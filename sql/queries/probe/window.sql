-- What the probes of one deployment and window gave, lane by lane.
SELECT lane, prompt, repeat, state, reason, n_input_tokens, n_output_tokens, cost_usd
  FROM llmmon.probe
 WHERE deployment = %(deployment)s AND window_start = %(window_start)s
 ORDER BY lane, prompt, repeat
