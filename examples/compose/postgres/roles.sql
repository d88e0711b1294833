-- Run once by psql, as a superuser, in the database of the store. The owner makes the tables and changes
-- them in updates (pairmint store migrate). Servers and workers run as the app, which changes rows alone.
\getenv owner_password PAIRMINT_OWNER_PASSWORD
\getenv app_password PAIRMINT_APP_PASSWORD
create role pairmint_owner login password :'owner_password';
create role pairmint_app login password :'app_password';
create schema pairmint authorization pairmint_owner;
grant usage on schema pairmint to pairmint_app;
alter default privileges for role pairmint_owner in schema pairmint
  grant select, insert, update, delete on tables to pairmint_app;
alter default privileges for role pairmint_owner in schema pairmint
  grant execute on functions to pairmint_app;
-- Dumps the tables, and can change nothing.
create role pairmint_backup;
grant usage on schema pairmint to pairmint_backup;
alter default privileges for role pairmint_owner in schema pairmint
  grant select on tables to pairmint_backup;
alter default privileges for role pairmint_owner in schema pairmint
  grant select on sequences to pairmint_backup;
