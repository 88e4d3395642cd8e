-- Every head that the database tells.
SELECT size, root
  FROM audit.seal
 ORDER BY size
