grant update (reads) on banyan.contexts to ??;
grant select, insert on banyan.audit to ??;
grant execute on function banyan.ask_at_console(text, text, text, text, boolean) to ??;
grant execute on function banyan.call_off_at_console(text, text, text) to ??;
