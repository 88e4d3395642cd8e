-- Who was told of an alert: each delivery with every attempt.
SELECT d.delivery_id, d.channel, d.state, d.n_attempts, d.next_attempt_at, d.sent_at,
       coalesce(jsonb_agg(jsonb_build_object('succeeded', t.succeeded, 'answer', left(t.answer, 500),
                                             'attempted_at', t.attempted_at)
                          ORDER BY t.delivery_attempt_id) FILTER (WHERE t.delivery_id IS NOT NULL), '[]') AS attempts
  FROM llmmon.delivery d
  LEFT JOIN llmmon.delivery_attempt t USING (delivery_id)
 WHERE d.alert_id = %(alert_id)s
 GROUP BY d.delivery_id
 ORDER BY d.delivery_id;
