-- Makes the cursor of a source that was never read; JSON null is the beginning.
INSERT INTO llmmon.source_cursor (source, position)
VALUES (%(source)s, 'null')
ON CONFLICT (source) DO NOTHING
