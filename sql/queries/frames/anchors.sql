-- What each scorer said of its anchors when it was last asked in one stretch of time, or within two days before it, for metrics.
SELECT DISTINCT ON (item.review_item_id)
       item.review_item_id, item.scorer, item.score AS fixed, anchor.window_start, anchor.value, anchor.reason
  FROM llmmon.review_item AS item
  JOIN llmmon.anchor_score AS anchor USING (review_item_id)
 WHERE item.deployment = %(deployment)s
   AND item.purpose = 'anchor'
   AND item.score IS NOT NULL
   AND anchor.window_start >= %(start)s::timestamptz - interval '2 days'
   AND anchor.window_start < %(end)s
 ORDER BY item.review_item_id, anchor.window_start DESC
