-- Moves the cursor of a source behind the rows just loaded.
UPDATE llmmon.source_cursor
   SET position = %(position)s,
       updated_at = clock_timestamp()
 WHERE source = %(source)s
