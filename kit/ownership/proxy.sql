grant update (reads) on banyan.contexts to ??;
grant insert on banyan.audit to ??;
