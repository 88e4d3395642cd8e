-- What stereotype probes found about the model that a deployment replays on, and the test behind the four-fifths rule.
CREATE TABLE llmmon.stereotype_figure (
  deployment    text             NOT NULL,
  probe         text             NOT NULL,
  probed_at     timestamptz      NOT NULL,
  place         integer          NOT NULL,
  category      text             NOT NULL,
  figure        text             NOT NULL,
  unit          text             NOT NULL,
  neutral       double precision,
  value         double precision,
  low           double precision,
  high          double precision,
  n             integer          NOT NULL CHECK (n >= 0),
  reason        text,
  detail        jsonb            NOT NULL DEFAULT '{}',
  provenance_id bigint           NOT NULL REFERENCES llmmon.provenance,
  PRIMARY KEY (deployment, probe, probed_at, category, figure),
  CONSTRAINT absent_has_a_reason CHECK (num_nonnulls(value, reason) >= 1)
);
COMMENT ON TABLE llmmon.stereotype_figure IS
  'One figure of one category of a stereotype probe (BBQ, CrowS-Pairs, WinoBias), run on the pinned replay model; never about a user.';
COMMENT ON COLUMN llmmon.stereotype_figure.place IS 'Order of the figures of one probe.';
COMMENT ON COLUMN llmmon.stereotype_figure.category IS 'As the data set names it; all: every category together.';
COMMENT ON COLUMN llmmon.stereotype_figure.neutral IS 'Value of a model without preference; null where there is no such value, as for an accuracy.';
COMMENT ON COLUMN llmmon.stereotype_figure.n IS 'Questions or pairs that the figure is about.';

ALTER TABLE llmmon.stereotype_figure OWNER TO llmmon_owner;
GRANT SELECT, INSERT ON llmmon.stereotype_figure TO llmmon_writer;
GRANT SELECT ON llmmon.stereotype_figure TO llmmon_analyst;

-- The four-fifths rule with its chance, for compliance.bias_by_group.
CREATE FUNCTION llmmon.chance_below(cases double precision, n double precision,
                                    other_cases double precision, other_n double precision, ratio double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  WITH nearest AS (
    -- the likeliest rate of the other group if the first had exactly `ratio` of it
    SELECT least(greatest((b - sqrt(greatest(b * b - 4 * a * (cases + other_cases), 0))) / (2 * a), 0), least(1, 1 / ratio)) AS rate
      FROM (SELECT ratio * (n + other_n) AS a, ratio * n + cases + other_n + ratio * other_cases AS b) AS terms
  ), scored AS (
    SELECT cases / n - ratio * other_cases / other_n AS gap,
           ratio * rate * (1 - ratio * rate) / n + ratio * ratio * rate * (1 - rate) / other_n AS variance
      FROM nearest
  )
  SELECT CASE WHEN variance > 1e-15 THEN 0.5 * erfc(- gap / sqrt(2 * variance)) ELSE 0.5 END
    FROM scored
);
COMMENT ON FUNCTION llmmon.chance_below IS
  'Chance that a group with cases of n looks so far below ratio times another, were it not: Miettinen and Nurminen''s score test, normal approximation.';
ALTER FUNCTION llmmon.chance_below OWNER TO llmmon_owner;
REVOKE EXECUTE ON FUNCTION llmmon.chance_below FROM PUBLIC;
GRANT EXECUTE ON FUNCTION llmmon.chance_below TO llmmon_writer, llmmon_analyst;
