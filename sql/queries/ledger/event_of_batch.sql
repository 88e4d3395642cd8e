-- The event that tells how a batch was loaded.
SELECT event_id
  FROM audit.trail
 WHERE event = 'batch.loaded'
   AND (detail ->> 'batch_id')::bigint = %(batch_id)s
