-- The anchors of a scorer with their texts: a request's own, or those that came from a file.
SELECT item.review_item_id, item.request_key, item.lane, item.variant, item.repeat, item.score, item.content AS own_content,
       request.user_ref, payload.content, payload.key_id, subject.wrapped_key
  FROM llmmon.review_item AS item
  LEFT JOIN llmmon.request_log AS request
    ON request.request_key = item.request_key AND request.occurred_at = item.occurred_at
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.request_key = item.request_key AND payload.occurred_at = item.occurred_at
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
 WHERE item.deployment = %(deployment)s
   AND item.scorer = %(scorer)s
   AND item.purpose = 'anchor'
 ORDER BY item.review_item_id
