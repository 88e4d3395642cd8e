-- A batch's requests whole: what their digests are made of.
SELECT log.*, payload.content
  FROM llmmon.request_log log
  LEFT JOIN llmmon.request_payload payload USING (request_key, occurred_at)
 WHERE log.batch_id = %(batch_id)s
   AND log.occurred_at BETWEEN %(first_occurred_at)s AND %(last_occurred_at)s
 ORDER BY log.request_key
