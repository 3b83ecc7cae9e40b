import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'

/** Makes an empty database one that knows these contexts. @returns a pool in it, the caller's to end */
export async function installContexts(url: string, contexts: readonly string[]): Promise<pg.Pool> {
  const control = new pg.Pool({ connectionString: url })
  control.on('error', () => undefined)
  await installControl(fromPg(control))
  await control.query('insert into banyan.contexts (context) select unnest($1::text[])', [contexts])
  return control
}
