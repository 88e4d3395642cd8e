-- Run once by the postgres image, when its data volume is empty: llmmon's database and the logins of its processes.
\getenv app LLMMON_APP_PASSWORD
\getenv sealer LLMMON_SEALER_PASSWORD
\getenv anchorer LLMMON_ANCHORER_PASSWORD
CREATE DATABASE llmmon;
CREATE ROLE llmmon_writer NOLOGIN;
CREATE ROLE llmmon_sealer NOLOGIN;
CREATE ROLE llmmon_anchorer NOLOGIN;
CREATE ROLE llmmon_app LOGIN PASSWORD :'app' IN ROLE llmmon_writer;
CREATE ROLE sealer LOGIN PASSWORD :'sealer' IN ROLE llmmon_sealer;
CREATE ROLE anchorer LOGIN PASSWORD :'anchorer' IN ROLE llmmon_anchorer;
