-- The labelled items of a scorer before a moment: what its error is learnt from when the next ones are drawn.
SELECT item.score, 1 / item.probability AS weight, avg(standing.label)::double precision AS label
  FROM llmmon.review_item AS item
  JOIN llmmon.review_standing AS standing USING (review_item_id)
 WHERE item.deployment = %(deployment)s
   AND item.purpose = 'calibration'
   AND item.scorer = %(scorer)s
   AND item.occurred_at < %(before)s
   AND standing.label IS NOT NULL
 GROUP BY item.review_item_id, item.score, item.probability
 ORDER BY item.review_item_id
