-- Where reading of a source stopped.
SELECT position
  FROM llmmon.source_cursor
 WHERE source = %(source)s
