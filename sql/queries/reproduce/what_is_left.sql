-- What is left of the rows of a stretch of time, and what was judged or replayed after a moment.
SELECT count(*)                                                                                   AS n_requests,
       count(*) FILTER (WHERE payload.request_key IS NULL)                                        AS n_without_texts,
       count(*) FILTER (WHERE payload.key_id IS NOT NULL AND subject.key_id IS NULL)              AS n_erased,
       (SELECT count(*) FROM llmmon.score
         WHERE score.deployment = %(deployment)s AND score.window_start >= %(start)s
           AND score.window_start < %(end)s AND score.scored_at > %(known_at)s)                   AS n_judged_later,
       (SELECT count(*) FROM llmmon.response
         WHERE response.deployment = %(deployment)s AND response.window_start >= %(start)s
           AND response.window_start < %(end)s AND response.responded_at > %(known_at)s)          AS n_replayed_later
  FROM llmmon.request_log AS request
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = request.occurred_at AND payload.request_key = request.request_key
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
 WHERE request.deployment = %(deployment)s
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
