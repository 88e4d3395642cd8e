-- Adds what somebody said of an item, unless it is word for word the last thing they said.
INSERT INTO llmmon.review (review_item_id, reviewer, label, reason, spans, note)
SELECT item.review_item_id, %(reviewer)s, %(label)s::smallint, %(reason)s::text, %(spans)s::jsonb, %(note)s::text
  FROM llmmon.review_item AS item
 WHERE item.review_item_id = %(review_item_id)s
   AND NOT EXISTS (
         SELECT FROM llmmon.review_standing AS standing
          WHERE standing.review_item_id = item.review_item_id
            AND standing.reviewer = %(reviewer)s
            AND (standing.label, standing.reason, standing.spans, standing.note)
                IS NOT DISTINCT FROM (%(label)s::smallint, %(reason)s::text, %(spans)s::jsonb, %(note)s::text))
RETURNING review_id
