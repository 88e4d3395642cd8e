-- Some passages with their places.
SELECT fact_passage_id, document, start_offset, end_offset, content
  FROM llmmon.fact_passage
 WHERE fact_passage_id = ANY (%(ids)s)
