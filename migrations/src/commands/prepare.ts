import { captureStatements } from '../data/capture.ts'
import { inNameOrder } from '../data/lane.ts'
import { withConnection } from '../data/open-db.ts'
import { ident, qualified } from '../data/sql-text.ts'
import { FENCE } from '../data/trigger-names.ts'
import { createLanes } from '../mover/lanes.ts'
import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addPrepare: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'prepare',
    summary: 'check both sides, close the target, capture every change from now on',
    inverse: 'banyan unprepare',
    timeout: 120,
    async steps(plan, stored, setup) {
      const lanes = createLanes(plan, setup.sides(plan))
      lanes.adopt(stored.token + 1n, stored.move + 1n)
      const steps = [controlSql(stored, { token: stored.token + 1n, move: stored.move + 1n, step: 'preparing' })]
      for (const direction of ['to-monolith', 'to-service'] as const) {
        const lane = await lanes.of(direction)
        const database = plan.databases[lane.fromSide]
        steps.push(`-- ${database}: migrations/src/data/engine.sql and reject.sql, then the capture of its tables`)
        for (const statement of await withConnection(lane.from, (tx) => captureStatements(tx, lane)))
          steps.push(`${statement.replace(/;?\s*$/, '')};`)
        if (direction === 'to-monolith')
          steps.push(
            `-- ${database}: closed for application writes`,
            ...inNameOrder(lane).map(
              ({ source }) => `alter table ${qualified(source)} enable always trigger ${ident(FENCE)};`,
            ),
          )
      }
      steps.push('-- RabbitMQ: exchange banyan.changes and a queue for each direction')
      steps.push(
        `update banyan.contexts set phase = 'prepared', step = null where context = '${plan.context}';  -- banyan_control`,
      )
      return steps
    },
  })
