-- Removes reports that were rendered before a moment.
DELETE FROM llmmon.report
 WHERE rendered_at < %(before)s
