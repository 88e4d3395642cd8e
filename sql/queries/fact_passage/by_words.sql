-- The passages of some facts that share words with each of many texts, best first.
SELECT asked.place, found.fact_passage_id
  FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS asked (content, place)
 CROSS JOIN LATERAL (
         SELECT replace(plainto_tsquery(%(language)s::regconfig, asked.content)::text, ' & ', ' | ')::tsquery AS words
       ) AS query
 CROSS JOIN LATERAL (
         SELECT passage.fact_passage_id, ts_rank(passage.lexemes, query.words, 1) AS rank
           FROM llmmon.fact_passage AS passage
          WHERE passage.facts = %(facts)s
            AND passage.lexemes @@ query.words
          ORDER BY rank DESC, passage.fact_passage_id
          LIMIT %(limit)s
       ) AS found
 ORDER BY asked.place, found.rank DESC, found.fact_passage_id
