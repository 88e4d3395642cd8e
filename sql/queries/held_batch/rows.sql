-- The rows of a held batch in their order.
SELECT raw, file, byte_offset, cut, sealed
  FROM llmmon.held_row
 WHERE batch_id = %(batch_id)s
 ORDER BY place
