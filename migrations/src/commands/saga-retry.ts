import { retrySaga, SagaError } from '@banyan/kit/saga'
import type { Command } from 'commander'
import { recordAudit } from '../control/audit.ts'
import type { Cli } from './cli.ts'
import { findSaga, findSketch, openSagas } from './read-sagas.ts'
import { Refused } from './refused.ts'

type Given = { json?: boolean; dryRun?: boolean; why?: string }

/**
 * Adds `saga retry`: the row goes back to work in one guarded transaction, and the owner's runner takes it up at its
 * next look. No mover is needed for it.
 */
export function addSagaRetry(saga: Command, cli: Cli): void {
  saga
    .command('retry <context> <id>')
    .description('give a saga that needs attention another round of attempts (the way back: none, it ends by itself)')
    .option('--dry-run', 'show what would go on, and change nothing')
    .option('--why <reason>', 'written into the audit')
    .option('--json', 'print one JSON object')
    .action((context: string, id: string, given: Given) =>
      cli.run(given, async (setup, out) => {
        const sagas = await openSagas(setup, context)
        const { saga: found, store, table } = await findSaga(sagas, id)
        if (found.status !== 'NEEDS_ATTENTION') throw new Refused(`saga ${id} to need attention; it is ${found.status}`)
        const sketch = await findSketch([{ store, table }], found.saga)
        const status = sketch.forwardOnly ? 'RUNNING' : 'COMPENSATING'
        if (given.dryRun) {
          const steps = [
            `update ${table} set status = '${status}', next_at = now(), lease_owner = null where id = '${id}' and status = 'NEEDS_ATTENTION';`,
            `-- then the owner's runner goes ${sketch.forwardOnly ? 'on' : 'back'} from: ${found.reason?.message ?? 'where it stands'}`,
          ]
          return out.result({ dryRun: true, context, id, steps }, steps.join('\n'))
        }
        await retrySaga(store, id, () => sketch, Date.now()).catch((error) => {
          // Somebody else was quicker than the look above.
          throw error instanceof SagaError ? new Refused(`saga ${id} to need attention; ${error.message}`) : error
        })
        await recordAudit(setup.control(), {
          who: cli.who,
          what: 'saga retry',
          context,
          old: { id, status: found.status, reason: found.reason },
          new: { id, status },
          why: given.why ?? null,
          result: 'done',
        })
        out.result({ context, id, status }, `saga retry ${context} ${id}: ${status}; banyan saga show follows it`)
      }),
    )
}
