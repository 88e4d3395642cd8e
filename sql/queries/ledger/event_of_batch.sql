-- The event that tells how a batch was loaded.
SELECT event_id
  FROM audit.trail
 WHERE event IN ('batch.loaded', 'batch.released')
   AND (detail ->> 'batch_id')::bigint = %(batch_id)s
