-- Up to five requests of a window and segment whose scores lie furthest in the direction of a change.
SELECT s.request_key
  FROM llmmon.score s
  JOIN llmmon.request_log r USING (request_key)
 WHERE s.deployment = %(deployment)s AND s.window_start = %(start)s
   AND s.scorer = %(scorer)s AND s.lane = %(lane)s AND s.value IS NOT NULL
   AND r.occurred_at >= %(start)s AND r.occurred_at < %(end)s
   AND CASE WHEN %(dimension)s::text IS NULL THEN true
            WHEN left(%(dimension)s, 6) = 'group.' THEN r.groups ->> substr(%(dimension)s, 7) = %(value)s
            ELSE to_jsonb(r) ->> %(dimension)s = %(value)s END
 GROUP BY s.request_key
 ORDER BY avg(s.value) * %(sign)s DESC, s.request_key
 LIMIT 5
