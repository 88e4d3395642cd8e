-- The logged responses of the sampled requests of one window, to be judged again.
SELECT request.request_key,
       request.user_ref,
       payload.content,
       payload.key_id,
       subject.wrapped_key,
       surprise.logged_mean_logprob
  FROM llmmon.sample
  JOIN llmmon.request_log AS request
    ON request.request_key = sample.request_key
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = request.occurred_at AND payload.request_key = request.request_key
   AND payload.occurred_at >= %(start)s AND payload.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
  LEFT JOIN LATERAL (
         SELECT response.logged_mean_logprob
           FROM llmmon.response
          WHERE response.sample_id = sample.sample_id
            AND response.variant = 'as_logged'
            AND response.logged_mean_logprob IS NOT NULL
          ORDER BY array_position(%(lanes)s::text[], response.lane), response.repeat
          LIMIT 1
       ) AS surprise ON true
 WHERE sample.deployment = %(deployment)s
   AND sample.window_start = %(start)s
 ORDER BY request.request_key
