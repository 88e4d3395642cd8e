-- Human review: what was drawn for a person to judge, what people said, and how anchors were scored since.

-- Made in 0005 for reviews that nothing ever wrote; a review is now of an item that was drawn with a known probability.
DO $$
BEGIN
  IF EXISTS (SELECT FROM llmmon.review) THEN
    RAISE EXCEPTION 'llmmon.review holds rows that no release of llmmon wrote; move them away and migrate again';
  END IF;
END $$;
DROP TABLE llmmon.review;

CREATE TABLE llmmon.review_item (
  review_item_id bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  purpose        text             NOT NULL CHECK (purpose IN ('calibration', 'anchor')),
  deployment     text             NOT NULL,
  scorer         text             NOT NULL,
  window_start   timestamptz,
  window_end     timestamptz,
  request_key    bigint           REFERENCES llmmon.request_identity,
  occurred_at    timestamptz,
  lane           text             NOT NULL DEFAULT 'logged',
  variant        text             NOT NULL DEFAULT 'as_logged',
  repeat         smallint         NOT NULL DEFAULT 0,
  score          double precision CHECK (score > '-Infinity' AND score < 'Infinity'),
  probability    double precision CHECK (probability > 0 AND probability <= 1),
  stratum        text             NOT NULL DEFAULT '',
  seed           bigint,
  name           text,
  content        jsonb,
  provenance_id  bigint           REFERENCES llmmon.provenance,
  drawn_at       timestamptz      NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT an_item_is_of_a_request_or_holds_texts CHECK ((request_key IS NULL) = (content IS NOT NULL)),
  CONSTRAINT a_drawn_item_has_its_window_score_and_probability CHECK (
    purpose = 'anchor' OR num_nonnulls(window_start, window_end, request_key, occurred_at, score, probability, seed, provenance_id) = 8),
  CONSTRAINT a_response_is_drawn_once_for_a_scorer UNIQUE (deployment, scorer, purpose, request_key, lane, variant, repeat),
  CONSTRAINT a_named_anchor_is_there_once UNIQUE (deployment, scorer, purpose, name)
);
COMMENT ON TABLE llmmon.review_item IS 'A response that a person is asked to judge, and the odds with which it was drawn; or an anchor, which its scorer judges again every day.';
COMMENT ON COLUMN llmmon.review_item.score IS 'What the scorer said when the item was drawn or fixed.';
COMMENT ON COLUMN llmmon.review_item.probability IS 'Of being drawn, among all responses of the window: that of the sample for replay included, where the scorer judges the sample only.';
COMMENT ON COLUMN llmmon.review_item.content IS 'Texts of an anchor that came from a file of the team''s own; those of other items are in request_payload, sealed.';
COMMENT ON COLUMN llmmon.review_item.provenance_id IS 'How the score was made.';
-- Serves queries/frames/reviews.sql and queries/review_item/list.sql.
CREATE INDEX review_item_by_deployment ON llmmon.review_item (deployment, purpose, occurred_at);

CREATE TABLE llmmon.review (
  review_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  review_item_id bigint      NOT NULL REFERENCES llmmon.review_item,
  reviewer       text        NOT NULL CHECK (reviewer <> ''),
  label          smallint    CHECK (label IN (0, 1)),
  reason         text,
  spans          jsonb       NOT NULL DEFAULT '[]',
  note           text,
  decided_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT no_label_has_a_reason CHECK ((label IS NULL) = (reason IS NOT NULL))
);
COMMENT ON TABLE llmmon.review IS 'What people said of items; append-only, the last word of each reviewer counts.';
COMMENT ON COLUMN llmmon.review.label IS '1: the response has what the scorer looks for (unsupported, a refusal); 0: it has not; null: the reviewer cannot tell, and why.';
-- Serves queries/frames/reviews.sql.
CREATE INDEX review_by_item ON llmmon.review (review_item_id, reviewer, review_id);

CREATE VIEW llmmon.review_standing WITH (security_invoker = true) AS
  SELECT DISTINCT ON (review_item_id, reviewer) *
    FROM llmmon.review
   ORDER BY review_item_id, reviewer, review_id DESC;
COMMENT ON VIEW llmmon.review_standing IS 'The last word of each reviewer on each item.';

CREATE TABLE llmmon.anchor_score (
  review_item_id bigint           NOT NULL REFERENCES llmmon.review_item,
  window_start   timestamptz      NOT NULL,
  value          double precision CHECK (value > '-Infinity' AND value < 'Infinity'),
  reason         text,
  provenance_id  bigint           NOT NULL REFERENCES llmmon.provenance,
  scored_at      timestamptz      NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (review_item_id, window_start),
  CONSTRAINT an_anchor_has_a_value_or_a_reason CHECK ((value IS NULL) = (reason IS NOT NULL))
);
COMMENT ON TABLE llmmon.anchor_score IS 'What a scorer says of its anchors now; window_start is the start of the day, or of the window, it was asked for.';

ALTER TABLE llmmon.review_item OWNER TO llmmon_owner;
ALTER TABLE llmmon.review OWNER TO llmmon_owner;
ALTER VIEW llmmon.review_standing OWNER TO llmmon_owner;
ALTER TABLE llmmon.anchor_score OWNER TO llmmon_owner;
-- What people said is a fact about the past: it can be added to, and not be changed.
GRANT SELECT, INSERT ON llmmon.review_item, llmmon.review TO llmmon_writer;
GRANT SELECT, INSERT, UPDATE ON llmmon.anchor_score TO llmmon_writer;
GRANT SELECT ON llmmon.review_standing TO llmmon_writer, llmmon_auditor;
GRANT SELECT (review_item_id, purpose, deployment, scorer, window_start, window_end, request_key, occurred_at, lane, variant,
  repeat, score, probability, stratum, seed, name, provenance_id, drawn_at) ON llmmon.review_item TO llmmon_analyst;
GRANT SELECT (review_id, review_item_id, reviewer, label, reason, decided_at) ON llmmon.review TO llmmon_analyst;
GRANT SELECT ON llmmon.anchor_score TO llmmon_analyst;
GRANT SELECT ON llmmon.review TO llmmon_auditor;
