grant usage on schema banyan to ??;
grant select on banyan.contexts, banyan.subscribers, banyan.instances to ??;
grant insert, update, delete on banyan.subscribers, banyan.instances to ??;
