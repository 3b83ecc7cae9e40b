revoke all on all tables in schema banyan from ??;
revoke execute on all functions in schema banyan from ??;
alter default privileges in schema banyan revoke all on tables from ??;
grant usage on schema banyan to ??;
grant select on banyan.contexts, banyan.subscribers, banyan.instances, banyan.announcers to ??;
grant insert, update, delete on banyan.subscribers, banyan.instances to ??;
