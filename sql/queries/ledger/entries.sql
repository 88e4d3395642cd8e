-- Sealed events in order of their places; body is null where the event is gone.
SELECT seq, event_id, hash, recorded_us, body
  FROM audit.leaf
  LEFT JOIN audit.event USING (event_id)
 WHERE seq >= %(first)s
   AND seq < %(end)s
 ORDER BY seq
