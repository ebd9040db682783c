-- Makes a stock PostgreSQL look like a Cloud SQL instance: its roles, and an admin that is not a superuser.
-- Run as the superuser, in the database postgres. The placeholder is the admin's password.
-- https://cloud.google.com/sql/docs/postgres/users

CREATE ROLE cloudsqlsuperuser NOLOGIN CREATEROLE CREATEDB;
GRANT pg_monitor TO cloudsqlsuperuser;
CREATE ROLE cloudsqliamuser NOLOGIN;
CREATE ROLE cloudsqliamserviceaccount NOLOGIN;
CREATE ROLE cloudsqliamgroup NOLOGIN;
CREATE ROLE cloudsqlreplica NOLOGIN REPLICATION;
CREATE ROLE cloudsqlagent NOLOGIN;
CREATE ROLE postgres LOGIN CREATEROLE CREATEDB PASSWORD :password IN ROLE cloudsqlsuperuser;

ALTER DATABASE postgres OWNER TO cloudsqlsuperuser;
CREATE DATABASE cloudsqladmin OWNER cloudsqladmin;
REVOKE CONNECT ON DATABASE cloudsqladmin FROM PUBLIC;
