-- Review labels: what was drawn for people to judge, with which odds, what they said and whether they agree. One row an item; its
-- label is the mean of the last words of its reviewers, from 0 (no) to 1 (yes, it has what the scorer looks for). No text is shown.
-- Duties: AI Act Art. 14 (human oversight), 26(2) and (5) (deployers assign oversight and monitor), 15 (accuracy, declared metrics);
-- NIST AI RMF MEASURE 2.5 (validity shown), MAP 3.5 (human oversight); ISO/IEC 42001 A.9.
SELECT item.deployment,
       item.scorer,
       item.purpose,
       item.review_item_id,
       item.request_key,
       item.occurred_at,
       item.drawn_at,
       item.stratum,
       item.probability,
       item.score,
       count(said.review_id)                                    AS n_reviewers,
       count(said.review_id) FILTER (WHERE said.label IS NULL)  AS n_cannot_tell,
       avg(said.label)::double precision                        AS label,
       CASE WHEN count(said.label) > 1 THEN min(said.label) = max(said.label) END AS agree,
       string_agg(said.reviewer, ', ' ORDER BY said.reviewer)   AS reviewers,
       min(said.decided_at)                                     AS first_decided_at,
       max(said.decided_at)                                     AS last_decided_at,
       (SELECT count(*) FROM llmmon.review WHERE review.review_item_id = item.review_item_id) AS n_words
  FROM llmmon.review_item AS item
  LEFT JOIN llmmon.review_standing AS said USING (review_item_id)
 GROUP BY item.review_item_id, item.deployment, item.scorer, item.purpose, item.request_key, item.occurred_at, item.drawn_at,
          item.stratum, item.probability, item.score
 ORDER BY item.deployment, item.scorer, item.review_item_id
