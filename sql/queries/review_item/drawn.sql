-- What was drawn from a window for a scorer.
SELECT review_item_id, request_key, probability, stratum
  FROM llmmon.review_item
 WHERE deployment = %(deployment)s
   AND purpose = 'calibration'
   AND scorer = %(scorer)s
   AND window_start < %(end)s
   AND window_end > %(start)s
 ORDER BY review_item_id
