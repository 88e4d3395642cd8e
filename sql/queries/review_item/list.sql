-- Items for review, those that nobody judged first, then the newest; anchors only where they are asked for.
SELECT item.review_item_id, item.purpose, item.deployment, item.scorer, item.occurred_at, item.request_key, item.name, item.score,
       item.probability, item.stratum, item.drawn_at, count(standing.review_id) AS n_reviews,
       avg(standing.label)::double precision AS label
  FROM llmmon.review_item AS item
  LEFT JOIN llmmon.review_standing AS standing USING (review_item_id)
 WHERE (%(deployment)s::text IS NULL OR item.deployment = %(deployment)s)
   AND (%(scorer)s::text IS NULL OR item.scorer = %(scorer)s)
   AND item.purpose = %(purpose)s
   AND (%(after)s::bigint IS NULL OR item.review_item_id < %(after)s)
 GROUP BY item.review_item_id
HAVING count(standing.review_id) = 0 OR NOT %(only_open)s
 ORDER BY item.review_item_id DESC
 LIMIT %(n_rows)s
