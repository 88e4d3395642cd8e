-- Which replays of one deployment and window are done or failed, and why.
SELECT sample_id, lane, variant, repeat, state, reason
  FROM llmmon.response
 WHERE deployment = %(deployment)s AND window_start = %(window_start)s
