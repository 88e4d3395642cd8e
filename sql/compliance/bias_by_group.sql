-- Bias by group: per day, scorer and logged or configured attribute, each group's rate with Wilson's 95% interval, its ratio to the
-- highest rate (of a group of 10 or more, else of any) and to all groups together, and the four-fifths rule: whether it is below
-- 0.8, and with what chance it would look so if it were not (score test, times the pairs that are compared: of the 30 largest
-- groups of 10 or more). Requests count as independent; the metric impact_ratio tests exactly and allows for users. Requests without
-- the attribute are counted, not hidden. Only rates in [0, 1]; where a low rate is the favourable one (refusals), read 1 - rate.
-- Duties: AI Act Art. 10(2)(f) and 26; 29 CFR 1607.4(D); NYC Local Law 144, 6 RCNY 5-301; NIST AI RMF MEASURE 2.11.
WITH judged AS (
  SELECT s.deployment, (s.window_start AT TIME ZONE 'UTC')::date AS day, s.scorer, s.request_key, s.value, r.groups
    FROM llmmon.score AS s
    JOIN llmmon.request_identity AS i USING (request_key)
    JOIN llmmon.request_log AS r ON r.request_key = s.request_key AND r.occurred_at = i.occurred_at
   WHERE s.lane = 'logged' AND s.value IS NOT NULL
), rate_scorer AS (
  SELECT deployment, scorer
    FROM judged
   GROUP BY deployment, scorer
  HAVING min(value) >= 0 AND max(value) <= 1
), total AS (
  SELECT deployment, day, scorer, count(*) AS n
    FROM judged
    JOIN rate_scorer USING (deployment, scorer)
   GROUP BY deployment, day, scorer
), grouped AS (
  SELECT deployment, day, scorer, attribute, member, count(*) AS n, sum(value) AS cases, avg(value) AS rate
    FROM judged
    JOIN rate_scorer USING (deployment, scorer)
   CROSS JOIN LATERAL jsonb_each_text(groups) AS g (attribute, member)
   GROUP BY deployment, day, scorer, attribute, member
), ranked AS (
  SELECT *,
         n >= 10 AND row_number() OVER (attributes ORDER BY n DESC, member) <= 30 AS is_compared,
         sum(n) OVER attributes AS n_with_attribute,
         sum(cases) OVER attributes / sum(n) OVER attributes AS overall_rate
    FROM grouped
  WINDOW attributes AS (PARTITION BY deployment, day, scorer, attribute)
), compared AS (
  SELECT *,
         coalesce(max(rate) FILTER (WHERE is_compared) OVER attributes, max(rate) OVER attributes) AS highest_rate
    FROM ranked
  WINDOW attributes AS (PARTITION BY deployment, day, scorer, attribute)
), tested AS (
  SELECT a.deployment, a.day, a.scorer, a.attribute, a.member,
         least(1, count(*) * (count(*) + 1) * min(llmmon.chance_below(a.cases, a.n, b.cases, b.n, 0.8))) AS chance,
         -- if not even a group without a single case could be told from chance, nothing can
         count(*) * (count(*) + 1) * min(llmmon.chance_below(0, a.n, b.cases, b.n, 0.8)) > 0.05 AS is_too_small
    FROM compared AS a
    JOIN compared AS b USING (deployment, day, scorer, attribute)
   WHERE a.is_compared AND b.is_compared AND a.member <> b.member
   GROUP BY a.deployment, a.day, a.scorer, a.attribute, a.member
)
SELECT c.deployment,
       c.day,
       c.scorer,
       c.attribute,
       c.member                                        AS group_name,
       c.n,
       round(c.n / c.n_with_attribute, 4)              AS share_of_requests,
       total.n - c.n_with_attribute                    AS n_without_attribute,
       c.rate,
       c.highest_rate,
       c.rate / nullif(c.highest_rate, 0)              AS ratio_to_highest,
       c.rate < 0.8 * c.highest_rate                   AS is_below_four_fifths,
       wilson.centre - wilson.half                     AS rate_low,
       wilson.centre + wilson.half                     AS rate_high,
       c.overall_rate,
       c.rate / nullif(c.overall_rate, 0)              AS ratio_to_overall,
       CASE WHEN coalesce(t.is_too_small, true)       THEN 'too few'
            WHEN c.rate >= 0.8 * c.highest_rate       THEN 'not below'
            WHEN t.chance <= 0.05                     THEN 'below 0.8 beyond chance'
            ELSE 'below 0.8, within chance' END        AS four_fifths,
       CASE WHEN NOT t.is_too_small AND c.rate < 0.8 * c.highest_rate THEN t.chance END AS chance
  FROM compared AS c
  JOIN total USING (deployment, day, scorer)
  LEFT JOIN tested AS t USING (deployment, day, scorer, attribute, member)
 CROSS JOIN LATERAL (
   SELECT (c.rate + z2 / (2 * c.n)) / (1 + z2 / c.n)                                                 AS centre,
          sqrt(z2 * (greatest(c.rate * (1 - c.rate), 0) / c.n + z2 / (4 * c.n ^ 2))) / (1 + z2 / c.n) AS half
     FROM (SELECT 1.959963984540054::double precision ^ 2 AS z2) AS normal) AS wilson
 ORDER BY c.deployment, c.day, c.scorer, c.attribute, c.member
