-- Adds the passages of one document.
INSERT INTO llmmon.fact_passage (facts, document, start_offset, end_offset, content, lexemes, embedding, digest)
SELECT %(facts)s, %(document)s, row.start_offset, row.end_offset, row.content,
       to_tsvector(%(language)s::regconfig, row.content), decode(row.embedding, 'base64'), %(digest)s
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (start_offset integer, end_offset integer, content text, embedding text)
