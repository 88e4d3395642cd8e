-- Makes an anchor of texts of the team's own.
INSERT INTO llmmon.review_item (purpose, deployment, scorer, score, stratum, name, content, provenance_id)
VALUES ('anchor', %(deployment)s, %(scorer)s, %(score)s, %(stratum)s, %(name)s, %(content)s::jsonb, %(provenance_id)s)
ON CONFLICT ON CONSTRAINT a_named_anchor_is_there_once DO NOTHING
RETURNING review_item_id
