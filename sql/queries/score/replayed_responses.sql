-- The replayed responses of one window on some lanes, to be judged.
SELECT response.request_key,
       response.sample_id,
       response.lane,
       response.variant,
       response.repeat,
       response.content AS replay,
       response.mean_logprob,
       response.key_id,
       subject.user_ref,
       subject.wrapped_key,
       payload.content
  FROM llmmon.response
  JOIN llmmon.request_log AS request
    ON request.request_key = response.request_key
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = request.occurred_at AND payload.request_key = request.request_key
   AND payload.occurred_at >= %(start)s AND payload.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = response.key_id
 WHERE response.deployment = %(deployment)s
   AND response.window_start = %(start)s
   AND response.lane = ANY (%(lanes)s)
 ORDER BY response.request_key, response.lane, response.variant, response.repeat
