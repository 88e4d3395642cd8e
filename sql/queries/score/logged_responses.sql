-- A page of the logged responses of one window to be judged, with the surprise of the first replay lane that measured it.
SELECT request.request_key,
       request.occurred_at,
       request.user_ref,
       payload.content,
       payload.key_id,
       subject.wrapped_key,
       sample.sample_id IS NOT NULL AS is_sampled,
       surprise.logged_mean_logprob
  FROM llmmon.request_log AS request
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = request.occurred_at AND payload.request_key = request.request_key
   AND payload.occurred_at >= %(start)s AND payload.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
  LEFT JOIN llmmon.sample
    ON sample.deployment = request.deployment
   AND sample.window_start = %(start)s
   AND sample.request_key = request.request_key
  LEFT JOIN LATERAL (
         SELECT response.logged_mean_logprob
           FROM llmmon.response
          WHERE response.sample_id = sample.sample_id
            AND response.variant = 'as_logged'
            AND response.logged_mean_logprob IS NOT NULL
          ORDER BY array_position(%(lanes)s::text[], response.lane), response.repeat
          LIMIT 1
       ) AS surprise ON true
 WHERE request.deployment = %(deployment)s
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
   AND (request.occurred_at, request.request_key) > (%(after_at)s, %(after_key)s)
 ORDER BY request.occurred_at, request.request_key
 LIMIT %(limit)s
