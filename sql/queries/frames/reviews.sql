-- The labelled items of one deployment up to the end of a stretch of time, for metrics: one row an item, its label the mean of its
-- reviewers' last words. A row says whether its judge, plug-in and parameters, is the one of that scorer's newest scores.
WITH item AS (
  SELECT *
    FROM llmmon.review_item
   WHERE deployment = %(deployment)s
     AND purpose = 'calibration'
     AND occurred_at >= %(start)s::timestamptz - interval '366 days'
     AND occurred_at < %(end)s
), word AS (
  SELECT DISTINCT ON (review.review_item_id, review.reviewer) review.*
    FROM llmmon.review
    JOIN item USING (review_item_id)
   WHERE review.decided_at <= coalesce(%(as_of)s::timestamptz, 'infinity')
   ORDER BY review.review_item_id, review.reviewer, review.review_id DESC
), said AS (
  SELECT review_item_id, avg(label)::double precision AS label, count(*) AS n_reviewers, max(decided_at) AS decided_at
    FROM word
   GROUP BY review_item_id
), judge AS (
  SELECT DISTINCT ON (score.scorer) score.scorer, provenance.plugin, provenance.parameters
    FROM llmmon.score
    JOIN llmmon.provenance USING (provenance_id)
   WHERE score.deployment = %(deployment)s
     AND score.window_start >= %(start)s
     AND score.window_start < %(end)s
     AND score.lane = 'logged'
     AND EXISTS (SELECT FROM item WHERE item.scorer = score.scorer)
   ORDER BY score.scorer, score.window_start DESC, score.scored_at DESC
)
SELECT item.request_key, item.occurred_at, item.scorer, item.lane, item.score, item.probability, said.label, said.n_reviewers,
       said.decided_at, (provenance.plugin, provenance.parameters) IS NOT DISTINCT FROM (judge.plugin, judge.parameters) AS same_judge,
       request.route, request.tenant, request.language, request.model, request.model_version, request.status, request.error_type,
       request.finish_reason, request.groups
  FROM item
  JOIN said USING (review_item_id)
  JOIN llmmon.provenance AS provenance ON provenance.provenance_id = item.provenance_id
  LEFT JOIN judge ON judge.scorer = item.scorer
  LEFT JOIN llmmon.request_log AS request ON request.request_key = item.request_key AND request.occurred_at = item.occurred_at
 ORDER BY item.review_item_id
