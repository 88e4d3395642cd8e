-- Days that are over, hold scores of a scorer, and nothing was drawn from; the newest ones.
SELECT day
  FROM (SELECT DISTINCT date_trunc('day', score.window_start AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day
          FROM llmmon.score
         WHERE score.deployment = %(deployment)s
           AND score.scorer = %(scorer)s
           AND score.lane = 'logged'
           AND score.value IS NOT NULL) AS scored
 WHERE day + interval '1 day' <= %(now)s
   AND NOT EXISTS (
         SELECT FROM llmmon.review_item AS item
          WHERE item.deployment = %(deployment)s
            AND item.purpose = 'calibration'
            AND item.scorer = %(scorer)s
            AND item.window_start < day + interval '1 day'
            AND item.window_end > day)
 ORDER BY day DESC
 LIMIT %(n_days)s
