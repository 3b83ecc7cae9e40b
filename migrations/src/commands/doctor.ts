import { connectBroker } from '@banyan/kit/broker'
import { createLogger } from '@banyan/kit/service'
import { readContext } from '../control/contexts.ts'
import { changesBroker } from '../data/change-lane.ts'
import { declaredQueue, examine } from '../plan/doctor.ts'
import { describeFinding } from '../plan/finding.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

export const addDoctor: AddCommand = (program, cli) => {
  program
    .command('doctor <context>')
    .description('look at everything that must be right before a context moves; changes nothing')
    .option('--json', 'print one JSON object')
    .action((context: string, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const plan = await setup.plan(context)
        const stored = await readContext(setup.control(), context).catch(() => null)
        const logger = createLogger({ name: 'banyan', level: 'silent' })
        const broker = connectBroker({ url: setup.amqpUrl(), name: 'banyan doctor', logger })
        const port = changesBroker(broker)
        setup.onClose(() => port.close().then(() => broker.close()))
        const gone = stored?.owner === 'service'
        const findings = await examine(plan, setup.sides(plan), port, { gone, empty: stored?.phase === 'idle' })
        // What the check of the broker declared is taken away again, unless a move is using it.
        if (declaredQueue(findings) && (!stored || stored.phase === 'idle'))
          await port.remove({ context, toSide: 'service' })
        const ill = findings.filter((finding) => !finding.ok)
        const lines = findings.map((finding) =>
          finding.ok ? `  ok  ${finding.check}: ${finding.message}` : `  !!  ${describeFinding(plan, finding)}`,
        )
        out.result(
          { context, healthy: ill.length === 0, findings },
          [...lines, `${ill.length === 0 ? 'healthy' : `${ill.length} to mend`}`].join('\n'),
        )
        if (ill.length > 0) throw new Refused(`${ill.length} finding${ill.length === 1 ? '' : 's'} to be mended`)
      }),
    )
}
