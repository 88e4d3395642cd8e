-- What people said of the responses to some requests.
SELECT item.request_key, item.review_item_id, item.purpose, item.scorer, item.score, item.drawn_at, review.label, review.reason,
       review.spans, review.note, review.reviewer, review.decided_at
  FROM llmmon.review_item AS item
  LEFT JOIN llmmon.review AS review USING (review_item_id)
 WHERE item.request_key = ANY(%(request_keys)s)
 ORDER BY item.request_key, item.review_item_id, review.review_id
