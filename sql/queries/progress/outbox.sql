-- Alerts and the deliveries that still wait, for the progress that `llmmon up` shows.
SELECT (SELECT count(*) FROM llmmon.alert)                              AS n_alerts,
       (SELECT count(*) FROM llmmon.delivery WHERE state = 'pending')   AS n_pending,
       (SELECT count(*) FROM llmmon.delivery WHERE state = 'sent')      AS n_sent,
       (SELECT count(*) FROM llmmon.report)                             AS n_reports
