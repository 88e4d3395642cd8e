-- Every right on llmmon's schemas and what lies in them, one line each; what an owner may do is left out.
WITH names (oid, role) AS (
  SELECT oid, rolname::text FROM pg_catalog.pg_roles
  UNION ALL
  SELECT 0, 'PUBLIC'
), object (kind, name, owner, acl) AS (
  SELECT 'schema', nspname::text, nspowner, nspacl
    FROM pg_catalog.pg_namespace
   WHERE nspname IN ('llmmon', 'audit', 'compliance')
  UNION ALL
  SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname || '.' || c.relname,
         c.relowner, c.relacl
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname IN ('llmmon', 'audit', 'compliance') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  UNION ALL
  SELECT 'column', n.nspname || '.' || c.relname || '.' || a.attname, c.relowner, a.attacl
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname IN ('llmmon', 'audit', 'compliance') AND a.attacl IS NOT NULL AND NOT c.relispartition
  UNION ALL
  SELECT CASE WHEN prosecdef THEN 'definer function' ELSE 'function' END,
         n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname IN ('llmmon', 'audit', 'compliance')
), listed AS (
  SELECT format('grant %%s %%s to %%s: %%s', o.kind, o.name, r.role,
                string_agg(lower(g.privilege_type) || CASE WHEN g.is_grantable THEN ' (may grant it)' ELSE '' END, ', '
                           ORDER BY g.privilege_type)) AS line
    FROM object o
   CROSS JOIN LATERAL aclexplode(o.acl) g
    JOIN names r ON r.oid = g.grantee
   WHERE g.grantee <> o.owner
   GROUP BY o.kind, o.name, r.role
  UNION ALL
  SELECT format('owner of %%s %%s: %%s', o.kind, o.name, r.role)
    FROM object o
    JOIN names r ON r.oid = o.owner
   WHERE o.kind IN ('schema', 'table', 'view', 'function', 'definer function') AND o.name !~ '_[0-9]{8}$'
  UNION ALL
  SELECT format('member of %%s: %%s', g.rolname, m.rolname)
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
   WHERE g.rolname LIKE 'llmmon\_%%' AND m.rolname LIKE 'llmmon\_%%' AND NOT m.rolcanlogin
  UNION ALL
  SELECT format('role %%s: %%s', rolname,
                concat_ws(', ', CASE WHEN rolcanlogin THEN 'logs in' ELSE 'does not log in' END,
                          CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreaterole THEN 'makes roles' END,
                          CASE WHEN rolcreatedb THEN 'makes databases' END, CASE WHEN rolbypassrls THEN 'bypasses rls' END))
    FROM pg_catalog.pg_roles
   WHERE rolname LIKE 'llmmon\_%%' AND NOT rolcanlogin
)
SELECT line
  FROM listed
 ORDER BY line COLLATE "C"
