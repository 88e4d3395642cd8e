-- The newest signed heads that the anchorer noted, each once.
SELECT size, checkpoint
  FROM audit.anchor
 GROUP BY size, checkpoint
 ORDER BY size DESC
 LIMIT 20
