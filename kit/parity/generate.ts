/** Sequences of requests from a contract: valid, on the border and beyond it, each building on what came before. */
import fc from 'fast-check'
import { brokenObject, invalidValue, type KnownValues, validValue } from './arbitrary-value.ts'
import type { Operation, Parameter } from './contract.ts'
import type { Settings } from './settings.ts'
import type { Sequence, Step } from './step.ts'

/** What of a context's settings says how requests are drawn. */
type Drawn = Pick<Settings, 'identities' | 'generate'>

const STEPS_AT_MOST = 8

/** The arbitrary of sequences; the same seed draws the same ones, with the same shorter forms. */
export function sequenceArbitrary(operations: readonly Operation[], settings: Drawn): fc.Arbitrary<Step[]> {
  if (operations.length === 0) throw new Error('there is no operation to ask for')
  const steps = operations.map((operation) => stepArbitrary(operation, settings))
  const makers = operations.flatMap((operation, at) => (capturesOf(operation, settings) ? [steps[at]!] : []))
  const any = fc.oneof(...steps)
  const body = fc.array(any, { maxLength: STEPS_AT_MOST - 1 })
  // Half of the sequences begin by making something, so that the rest has what to work with.
  const first = fc.option(makers.length > 0 ? fc.oneof(...makers) : any, { nil: undefined, freq: 1 })
  return fc
    .tuple(first, body)
    .map(([one, more]) => (one === undefined ? more : [one, ...more]))
    .filter((all) => all.length > 0)
}

/** @param requests about how many steps in all */
export function drawSequences(arbitrary: fc.Arbitrary<Step[]>, seed: number, requests: number): Sequence[] {
  const drawn = fc.sample(arbitrary, { seed, numRuns: requests })
  const result: Sequence[] = []
  let steps = 0
  for (const [at, each] of drawn.entries()) {
    if (steps >= requests) break
    result.push({ name: `generated ${at}`, kind: 'generated', steps: each })
    steps += each.length
  }
  return result
}

/**
 * Draws one sequence again by its name: `generated 12`, or `generated 12:0:3` for a shorter form of it.
 * @returns undefined where the seed has none of that name
 */
export function redraw(arbitrary: fc.Arbitrary<Step[]>, seed: number, name: string): Sequence | undefined {
  const path = pathOf(name)
  if (path === undefined) return undefined
  const [steps] = fc.sample(arbitrary, { seed, path, numRuns: 1 })
  return steps && { name, kind: 'generated', steps }
}

/** The way to a sequence: which of those drawn, and from there which shorter form of which. */
const pathOf = (name: string) => /^generated (\d+(?::\d+)*)$/.exec(name)?.[1]

/**
 * Looks for the shortest sequence that still differs, among the shorter forms of the one that did.
 * @param options.name of that one
 * @param differs runs a sequence and says whether it still does
 * @returns it, by a name that `redraw` knows; undefined when even the whole sequence does not differ again
 */
export async function shrink(
  arbitrary: fc.Arbitrary<Step[]>,
  options: { seed: number; name: string; tries: number },
  differs: (steps: Step[]) => Promise<boolean>,
): Promise<Sequence | undefined> {
  const path = pathOf(options.name)
  if (path === undefined) return undefined
  let left = options.tries
  const property = fc.asyncProperty(arbitrary, async (steps) => {
    if (left-- <= 0) return true
    return !(await differs(steps))
  })
  const found = await fc.check(property, { seed: options.seed, path, numRuns: Number.parseInt(path, 10) + 1 })
  if (!found.counterexample) return undefined
  return { name: `generated ${found.counterexamplePath}`, kind: 'generated', steps: found.counterexample[0] }
}

function stepArbitrary(operation: Operation, settings: Drawn): fc.Arbitrary<Step> {
  const known = knownValues(settings)
  const [usual, ...others] = operation.security.flatMap((scheme) => settings.identities[scheme] ?? [])
  const capture = capturesOf(operation, settings)
  const base = { name: operation.operationId, method: operation.method, ...(capture ? { capture } : {}) }
  const parameters = fc.tuple(
    ...operation.parameters.map((parameter) => parameterArbitrary(parameter, operation, known)),
  )
  const valid = operation.body ? validValue(operation.body, known) : fc.constant(undefined)
  const broken = operation.body ? brokenObject(operation.body, known) : fc.constant(undefined)
  const body = fc.oneof({ weight: 3, arbitrary: valid }, { weight: operation.body ? 1 : 0, arbitrary: broken })
  const as = usual
    ? fc.oneof({ weight: 14, arbitrary: fc.constant(usual) }, fc.constantFrom(undefined, ...others))
    : fc.constant(undefined)
  const raw = operation.body
    ? fc.oneof({ weight: 24, arbitrary: fc.constant(undefined) }, fc.constantFrom('{', '', 'null', '[1,'))
    : fc.constant(undefined)
  return fc.tuple(parameters, body, as, raw).map(([values, json, who, text]) => {
    const query: Record<string, unknown> = {}
    const headers: Record<string, string> = {}
    let path = operation.path
    for (const [at, parameter] of operation.parameters.entries()) {
      const value = values[at]
      if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, pathPart(value))
      else if (value === undefined) continue
      else if (parameter.in === 'query') query[parameter.name] = value
      else headers[parameter.name] = headerText(value)
    }
    return {
      ...base,
      path,
      ...(who === undefined ? {} : { as: who }),
      ...(Object.keys(query).length > 0 ? { query } : {}),
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...(text !== undefined ? { raw: text } : json === undefined ? {} : { body: json }),
    }
  })
}

/** A template stays one, for it is encoded when it is filled in. */
function pathPart(value: unknown): string {
  const text = String(value)
  return text.startsWith('{{') ? text : encodeURIComponent(text)
}

/** As much of it as HTTP can carry: with the rest the request would never leave this process. */
function headerText(value: unknown): string {
  return String(value).replaceAll(/[^\x20-\x7e]/g, '')
}

function parameterArbitrary(
  parameter: Parameter,
  { operationId }: Operation,
  known: KnownValues,
): fc.Arbitrary<unknown> {
  const own = known[`${operationId}.${parameter.name}`]
  const valid = own ? fc.constantFrom(...own) : validValue(parameter.schema, known, parameter.name)
  const invalid = invalidValue(parameter.schema, known, parameter.name).map((value) =>
    typeof value === 'object' ? 'x' : value === '' ? 'x' : value,
  )
  const absent = { weight: parameter.required ? 0 : 5, arbitrary: fc.constant(undefined) }
  return fc.oneof({ weight: 9, arbitrary: valid }, { weight: 1, arbitrary: invalid }, absent)
}

function knownValues({ generate }: Drawn): KnownValues {
  const references = Object.entries(generate.references).flatMap(([name, { fields, also, fallback }]) =>
    fields.map((field) => [field, [`{{${name}|${fallback}}}`, `{{${name}|${fallback}}}`, ...also]] as const),
  )
  return { ...generate.values, ...Object.fromEntries(references) }
}

function capturesOf(operation: Operation, { generate }: Drawn): Record<string, string> | undefined {
  const found = Object.entries(generate.references).filter(([, { from }]) => from === operation.operationId)
  return found.length > 0 ? Object.fromEntries(found.map(([name, { at }]) => [name, at])) : undefined
}
