-- The replayed responses of one window on some lanes, to be judged.
SELECT response.request_key,
       response.sample_id,
       response.lane,
       response.variant,
       response.repeat,
       response.messages,
       response.documents,
       response.response_text,
       response.mean_logprob,
       request.reference_answer
  FROM llmmon.response
  JOIN llmmon.request_log AS request
    ON request.request_key = response.request_key
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
 WHERE response.deployment = %(deployment)s
   AND response.window_start = %(start)s
   AND response.lane = ANY (%(lanes)s)
 ORDER BY response.request_key, response.lane, response.variant, response.repeat
