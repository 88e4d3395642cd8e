-- Where reading of a source stopped; until the transaction ends no other loader of this source may go on.
SELECT position
  FROM llmmon.source_cursor
 WHERE source = %(source)s
   FOR UPDATE
