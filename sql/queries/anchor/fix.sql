-- Makes anchors of the labelled items of a scorer that can still be read, the same number of each label as far as there are, oldest first.
INSERT INTO llmmon.review_item (purpose, deployment, scorer, window_start, window_end, request_key, occurred_at, lane, variant,
                                repeat, score, stratum, provenance_id)
SELECT 'anchor', ranked.deployment, ranked.scorer, ranked.window_start, ranked.window_end, ranked.request_key, ranked.occurred_at,
       ranked.lane, ranked.variant, ranked.repeat, ranked.value, ranked.label::text, ranked.judged_by
  FROM (SELECT item.*, said.label, score.value, score.provenance_id AS judged_by,
               row_number() OVER (PARTITION BY said.label ORDER BY item.review_item_id) AS place
          FROM llmmon.review_item AS item
          JOIN (SELECT review_item_id, round(avg(label)) AS label
                  FROM llmmon.review_standing
                 GROUP BY review_item_id
                HAVING avg(label) <> 0.5) AS said USING (review_item_id)
          JOIN llmmon.score
            ON score.request_key = item.request_key AND score.lane = item.lane AND score.variant = item.variant
           AND score.repeat = item.repeat AND score.scorer = item.scorer AND score.value IS NOT NULL
          JOIN llmmon.request_payload AS payload
            ON payload.request_key = item.request_key AND payload.occurred_at = item.occurred_at
          LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
         WHERE item.deployment = %(deployment)s
           AND item.scorer = %(scorer)s
           AND item.purpose = 'calibration'
           AND (payload.key_id IS NULL OR subject.key_id IS NOT NULL)) AS ranked
 WHERE ranked.place <= %(n_each)s
ON CONFLICT ON CONSTRAINT a_response_is_drawn_once_for_a_scorer DO NOTHING
