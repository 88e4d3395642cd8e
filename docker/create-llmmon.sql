-- Run once by the postgres image, when its data volume is empty: llmmon's database and the login of the tasks.
\getenv password LLMMON_APP_PASSWORD
CREATE DATABASE llmmon;
CREATE ROLE llmmon_writer NOLOGIN;
CREATE ROLE llmmon_app LOGIN PASSWORD :'password' IN ROLE llmmon_writer;
