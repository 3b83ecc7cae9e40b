import { captureDefinition } from '../data/capture-function.ts'
import { tableId } from '../data/lane.ts'
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
        for (const table of lane.tables)
          steps.push(`-- ${database}: capture on ${tableId(table.source)}`, `${captureDefinition(table, false)};`)
        if (direction === 'to-monolith')
          steps.push(
            `-- ${database}: closed for application writes`,
            ...lane.tables.map((table) => `alter table ${tableId(table.source)} enable always trigger "${FENCE}";`),
          )
      }
      steps.push('-- RabbitMQ: exchange banyan.changes and a queue for each direction')
      steps.push(
        `update banyan.contexts set phase = 'prepared', step = null where context = '${plan.context}';  -- banyan_control`,
      )
      return steps
    },
  })
