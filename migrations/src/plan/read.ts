import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Mistake, MistakesError, readYaml } from '@banyan/kit/yaml'
import { type Plan, planShape } from './plan.ts'

type Path = readonly (string | number)[]

/**
 * Reads one plan.
 * @throws MistakesError with every mistake of the file, each with its line and a remedy.
 */
export function parsePlan(file: string, text: string): Plan {
  const { value: shape, lineOf } = readYaml(file, text, planShape, 'plan')
  const plan: Plan = {
    file,
    context: shape.context,
    databases: shape.databases,
    processes: {
      monolith: shape.processes.monolith ?? 'monolith',
      service: shape.processes.service ?? `${shape.context}-service`,
    },
    tables: shape.tables.map((table) => ({ ...table, to: table.to ?? table.from })),
    crossingKeys: shape['crossing-foreign-keys'],
    sequences: shape.sequences,
    sagaTables: shape['saga-tables'],
    dependsOn: shape['depends-on'],
    lineOf: (...path) => lineOf(path),
  }
  const senseless = sense(plan)
  if (senseless.length > 0) throw new MistakesError(senseless)
  return Object.freeze(plan)
}

/**
 * Reads plans, by context.
 * @param places a folder, all of whose `*.yaml` are plans, or single files; several with commas between
 * @throws MistakesError with the mistakes of all files together.
 */
export async function readPlans(places: string): Promise<ReadonlyMap<string, Plan>> {
  const files = (await Promise.all(places.split(',').map((place) => filesAt(place.trim())))).flat()
  const mistakes: Mistake[] = []
  const plans = new Map<string, Plan>()
  for (const file of files) {
    try {
      const plan = parsePlan(file, await readFile(file, 'utf8'))
      const other = plans.get(plan.context)
      if (other)
        mistakes.push({
          file,
          line: plan.lineOf('context'),
          message: `context "${plan.context}" is planned in ${basename(other.file)} already`,
          remedy: 'keep one plan per context',
        })
      plans.set(plan.context, plan)
    } catch (error) {
      if (!(error instanceof MistakesError)) throw error
      mistakes.push(...error.mistakes)
    }
  }
  for (const plan of plans.values()) mistakes.push(...dependencyMistakes(plan, plans))
  mistakes.push(...sharedTables([...plans.values()]))
  if (mistakes.length > 0) throw new MistakesError(mistakes)
  return plans
}

/** Two contexts would capture and fence one table, and whoever is taken back first takes the other's fence away. */
function sharedTables(plans: readonly Plan[]): Mistake[] {
  const claimed = new Map<string, Plan>()
  return plans.flatMap((plan) =>
    plan.tables.flatMap((table, index) =>
      [`${plan.databases.monolith}.${table.from}`, `${plan.databases.service}.${table.to}`].flatMap((name) => {
        const other = claimed.get(name)
        claimed.set(name, other ?? plan)
        if (!other || other === plan) return []
        return [
          {
            file: plan.file,
            line: plan.lineOf('tables', index),
            message: `table "${name}" moves with "${other.context}" (${basename(other.file)}) already`,
            remedy: 'name it in one plan',
          },
        ]
      }),
    ),
  )
}

const isPlan = (name: string) => /\.ya?ml$/.test(name)

async function filesAt(place: string): Promise<string[]> {
  if (isPlan(place)) return [place]
  return (await readdir(place))
    .filter(isPlan)
    .sort()
    .map((name) => join(place, name))
}

function dependencyMistakes(plan: Plan, plans: ReadonlyMap<string, Plan>): Mistake[] {
  const at = (index: number) => ({ file: plan.file, line: plan.lineOf('depends-on', index) })
  return plan.dependsOn.flatMap((other, index) => {
    if (!plans.has(other))
      return [
        {
          ...at(index),
          message: `depends on "${other}", which no plan describes`,
          remedy: 'name a context that has a plan, or take the line out',
        },
      ]
    if (dependsOnItself(plan.context, other, plans))
      return [
        {
          ...at(index),
          message: `"${plan.context}" and "${other}" depend on each other`,
          remedy: 'take one of the two lines out',
        },
      ]
    return []
  })
}

function dependsOnItself(
  start: string,
  from: string,
  plans: ReadonlyMap<string, Plan>,
  seen = new Set<string>(),
): boolean {
  if (from === start) return true
  if (seen.has(from)) return false
  seen.add(from)
  return (plans.get(from)?.dependsOn ?? []).some((next) => dependsOnItself(start, next, plans, seen))
}

function sense(plan: Plan): Mistake[] {
  const mistakes: Mistake[] = []
  const add = (path: Path, message: string, remedy: string) =>
    mistakes.push({ file: plan.file, line: plan.lineOf(...path), message, remedy })
  if (plan.databases.monolith === plan.databases.service)
    add(['databases', 'service'], 'both sides name the same database', 'give the service a database of its own')
  const seen = { from: new Set<string>(), to: new Set<string>() }
  plan.tables.forEach((table, index) => {
    for (const side of ['from', 'to'] as const) {
      if (seen[side].has(table[side]))
        add(['tables', index], `table "${table[side]}" stands here a second time`, 'name every table once')
      seen[side].add(table[side])
    }
    const targets = new Set<string>()
    for (const [column, { to, forward, back }] of Object.entries(table.columns)) {
      const path = ['tables', index, 'columns', column]
      if ((forward === undefined) !== (back === undefined))
        add(
          path,
          `column "${column}" is mapped one way only`,
          'give both `forward` and `back`, each the inverse of the other',
        )
      if (targets.has(to)) add(path, `two columns become "${to}"`, 'give each column a name of its own')
      targets.add(to)
    }
  })
  plan.crossingKeys.forEach((key, index) => {
    if (
      plan.crossingKeys.findIndex((other) => other.table === key.table && other.constraint === key.constraint) < index
    )
      add(
        ['crossing-foreign-keys', index],
        `"${key.constraint}" stands here a second time`,
        'name every foreign key once',
      )
  })
  plan.sagaTables.forEach((name, index) => {
    if (!seen.from.has(name))
      add(
        ['saga-tables', index],
        `the saga table "${name}" is not among the plan's tables`,
        'add it to `tables`: a saga must not be cut from its data',
      )
  })
  return mistakes
}
