-- Bias by group: per day, scorer and logged attribute, each group's rate, its ratio to the highest group's rate and whether
-- that is below four fifths, with n and the share of requests; requests without the attribute are counted, not hidden. Only
-- rates in [0, 1]; where a low rate is the favourable one (refusals), read 1 - rate. A flag on few requests proves little.
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
  SELECT deployment, day, scorer, attribute, member, count(*) AS n, avg(value) AS rate
    FROM judged
    JOIN rate_scorer USING (deployment, scorer)
   CROSS JOIN LATERAL jsonb_each_text(groups) AS g (attribute, member)
   GROUP BY deployment, day, scorer, attribute, member
), compared AS (
  SELECT deployment, day, scorer, attribute, member, n, rate,
         max(rate) OVER attributes AS highest_rate, sum(n) OVER attributes AS n_with_attribute
    FROM grouped
  WINDOW attributes AS (PARTITION BY deployment, day, scorer, attribute)
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
       c.rate < 0.8 * c.highest_rate                   AS is_below_four_fifths
  FROM compared AS c
  JOIN total USING (deployment, day, scorer)
 ORDER BY c.deployment, c.day, c.scorer, c.attribute, c.member
