-- The streams whose past changed since it was judged, with the first window that did: measured anew, completed in place, given
-- up after it had been judged, or measured again after it had been given up.
SELECT monitor, segment, min(window_start) AS window_start
  FROM (SELECT monitor, segment, window_start
          FROM llmmon.measurement
         WHERE deployment = %(deployment)s AND change_id > %(measurement_change_id)s
        UNION ALL
        SELECT known.monitor, known.segment, stage.window_start
          FROM llmmon.window_stage AS stage
          JOIN llmmon.evidence AS known USING (deployment, window_start)
         WHERE stage.deployment = %(deployment)s AND stage.stage = 'measure' AND stage.state = 'expired'
           AND stage.change_id > %(stage_change_id)s
        UNION ALL
        SELECT found.monitor, found.segment, stage.window_start
          FROM llmmon.window_stage AS stage
          JOIN llmmon.measurement AS found USING (deployment, window_start)
          LEFT JOIN llmmon.evidence AS known USING (deployment, monitor, segment, window_start)
         WHERE stage.deployment = %(deployment)s AND stage.stage = 'measure' AND stage.state = 'done'
           AND stage.change_id > %(stage_change_id)s AND known.measurement_id IS NULL) AS changed
 WHERE window_start >= %(first_start)s AND window_start < %(judged_until)s
 GROUP BY monitor, segment
