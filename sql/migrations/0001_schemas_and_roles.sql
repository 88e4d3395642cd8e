-- Two schemas and the group roles that own, write and read them. Nobody logs in as a group role; a login is made a member.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['llmmon_owner', 'llmmon_writer', 'llmmon_analyst', 'llmmon_auditor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END $$;

CREATE SCHEMA llmmon;
CREATE SCHEMA audit;
CREATE SCHEMA compliance;
