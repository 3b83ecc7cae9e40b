import type { Plan } from '../plan/plan.ts'
import type { Setup } from '../setup.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

export const addPlan: AddCommand = (program, cli) => {
  program
    .command('plan [context]')
    .description('check the plan files, and show what would move')
    .option('--json', 'print one JSON object')
    .action((context: string | undefined, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const plans = context === undefined ? await somePlans(setup) : [await setup.plan(context)]
        const shown = plans.map((plan) => {
          const rename = plan.tables.map(({ from, to }) => (from === to ? from : `${from} → ${to}`))
          return [
            `${plan.context}: ${plan.databases.monolith} → ${plan.databases.service}  (${plan.file})`,
            `  tables     ${rename.join(', ')}`,
            ...plan.crossingKeys.map(
              (key) => `  dropped    ${key.constraint} of ${key.table}${key.replacement ? `: ${key.replacement}` : ''}`,
            ),
            ...(plan.sagaTables.length > 0 ? [`  sagas      ${plan.sagaTables.join(', ')}`] : []),
            ...(plan.dependsOn.length > 0 ? [`  after      ${plan.dependsOn.join(', ')}`] : []),
          ].join('\n')
        })
        out.result(
          plans.map(({ lineOf, ...plan }) => plan),
          shown.join('\n'),
        )
      }),
    )
}

/** @throws Refused where there is none: whoever asks has named the wrong place */
async function somePlans(setup: Setup): Promise<Plan[]> {
  const plans = [...(await setup.plans()).values()]
  if (plans.length === 0) throw new Refused(`plans; ${setup.config.BANYAN_PLANS} (BANYAN_PLANS) has none`)
  return plans
}
