-- Removes replayed responses, which carry the logged prompt, of windows before a moment.
DELETE FROM llmmon.response
 WHERE window_start < %(before)s
