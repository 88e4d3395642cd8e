-- The place of an event, its bytes, and the hashes that lead from it to the root over `size` leaves; null: not among them.
SELECT leaf.seq, event.recorded_us, event.body,
       CASE WHEN leaf.seq < %(size)s THEN audit.inclusion_proof(leaf.seq, 0, %(size)s) END AS path
  FROM audit.leaf
  JOIN audit.event USING (event_id)
 WHERE leaf.event_id = %(event_id)s
