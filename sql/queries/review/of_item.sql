-- Everything that was said of an item, in order.
SELECT review_id, reviewer, label, reason, spans, note, decided_at
  FROM llmmon.review
 WHERE review_item_id = %(review_item_id)s
 ORDER BY review_id
