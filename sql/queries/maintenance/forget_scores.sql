-- Removes scores, whose evidence quotes responses, of windows before a moment.
DELETE FROM llmmon.score
 WHERE window_start < %(before)s
