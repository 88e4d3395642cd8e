-- Keeps what a scorer said of an anchor; asked again for the same day, the later word stands.
INSERT INTO llmmon.anchor_score AS known (review_item_id, window_start, value, reason, provenance_id)
VALUES (%(review_item_id)s, %(window_start)s, %(value)s, %(reason)s, %(provenance_id)s)
ON CONFLICT (review_item_id, window_start) DO UPDATE
   SET value = EXCLUDED.value, reason = EXCLUDED.reason, provenance_id = EXCLUDED.provenance_id, scored_at = clock_timestamp()
 WHERE (known.value, known.reason, known.provenance_id) IS DISTINCT FROM (EXCLUDED.value, EXCLUDED.reason, EXCLUDED.provenance_id)
