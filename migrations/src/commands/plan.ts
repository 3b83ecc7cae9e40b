import type { AddCommand } from './cli.ts'

export const addPlan: AddCommand = (program, cli) => {
  program
    .command('plan [context]')
    .description('check the plan files, and show what would move')
    .option('--json', 'print one JSON object')
    .action((context: string | undefined, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const plans = context ? [await setup.plan(context)] : [...(await setup.plans()).values()]
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
