-- The standing reviews with the items they are of; ids, numbers and labels, no text of a request.
SELECT standing.review_id, item.review_item_id AS item, item.purpose, item.deployment, item.scorer, identity.source, identity.request_id,
       item.occurred_at, item.score, item.probability, item.stratum, standing.reviewer, standing.label, standing.reason,
       standing.spans, standing.note, standing.decided_at
  FROM llmmon.review_standing AS standing
  JOIN llmmon.review_item AS item USING (review_item_id)
  LEFT JOIN llmmon.request_identity AS identity USING (request_key)
 WHERE (%(deployment)s::text IS NULL OR item.deployment = %(deployment)s)
   AND (%(scorer)s::text IS NULL OR item.scorer = %(scorer)s)
 ORDER BY item.review_item_id, standing.reviewer
