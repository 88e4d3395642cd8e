-- One item with its request, the texts of that, and what its scorer said of the response.
SELECT item.review_item_id, item.purpose, item.deployment, item.scorer, item.window_start, item.window_end, item.request_key,
       item.occurred_at, item.lane, item.variant, item.repeat, item.score, item.probability, item.stratum, item.name,
       item.content AS own_content, item.drawn_at, identity.request_id, request.user_ref, payload.content, payload.key_id,
       subject.wrapped_key, score.value, score.label AS said, score.reason, score.spans, score.evidence, score.key_id AS evidence_key_id
  FROM llmmon.review_item AS item
  LEFT JOIN llmmon.request_identity AS identity USING (request_key)
  LEFT JOIN llmmon.request_log AS request
    ON request.request_key = item.request_key AND request.occurred_at = item.occurred_at
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.request_key = item.request_key AND payload.occurred_at = item.occurred_at
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
  LEFT JOIN llmmon.score
    ON score.request_key = item.request_key AND score.lane = item.lane AND score.variant = item.variant
   AND score.repeat = item.repeat AND score.scorer = item.scorer
 WHERE item.review_item_id = %(review_item_id)s
