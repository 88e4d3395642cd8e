-- Records what came of an attempt and where the delivery stands now.
WITH attempt AS (
  INSERT INTO llmmon.delivery_attempt (delivery_id, succeeded, answer)
  VALUES (%(delivery_id)s, %(state)s = 'sent', %(answer)s)
)
UPDATE llmmon.delivery
   SET state = %(state)s,
       next_attempt_at = CASE WHEN %(state)s = 'pending' THEN clock_timestamp() + %(wait)s ELSE next_attempt_at END,
       sent_at = CASE WHEN %(state)s = 'sent' THEN clock_timestamp() ELSE sent_at END
 WHERE delivery_id = %(delivery_id)s AND state = 'pending'
