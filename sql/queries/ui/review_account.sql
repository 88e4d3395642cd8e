-- How many items each scorer of each deployment has, how many are labelled, and when the last label came.
SELECT item.deployment, item.scorer, count(*) AS n_items, count(said.n) AS n_reviewed, count(said.label) AS n_labelled,
       max(said.decided_at) AS last_decided_at
  FROM llmmon.review_item AS item
  LEFT JOIN (SELECT review_item_id, count(*) AS n, avg(label) AS label, max(decided_at) AS decided_at
               FROM llmmon.review_standing
              GROUP BY review_item_id) AS said USING (review_item_id)
 WHERE item.purpose = 'calibration'
   AND (%(deployment)s::text IS NULL OR item.deployment = %(deployment)s)
 GROUP BY item.deployment, item.scorer
 ORDER BY item.deployment, item.scorer
