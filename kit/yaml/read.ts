/** Reads a YAML file that people write: its shape is checked, and whatever is wrong is said with line and remedy. */
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { type Mistake, MistakesError } from './mistakes.ts'

export type Path = readonly PropertyKey[]
/** The line of the part at a path, or of the nearest part around it that is there; from 1. */
export type LineOf = (path: Path) => number

/**
 * @param file the name that mistakes show
 * @param kind what the file is, e.g. `plan`: for the texts
 * @throws MistakesError with every mistake of the form at once; what else must hold is the caller's to check
 */
export function readYaml<T extends z.ZodObject>(
  file: string,
  text: string,
  shape: T,
  kind: string,
): { value: z.output<T>; lineOf: LineOf } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const lineOf = (path: Path) => lines.linePos(offsetOf(document, path)).line
  const unreadable = (line: number, message: string) => ({
    file,
    line,
    message: `not readable as YAML: ${message.split('\n')[0]}`,
    remedy: 'mend the YAML at this line',
  })
  const faults = document.errors.map((error) => unreadable(lines.linePos(error.pos[0]).line, error.message))
  if (faults.length > 0) throw new MistakesError(faults)
  const parsed = shape.safeParse(toValue(document, unreadable) ?? {})
  if (parsed.success) return { value: parsed.data, lineOf }
  const issues = parsed.error.issues.flatMap(unfold)
  throw new MistakesError(issues.map((issue) => shapeMistake(file, issue, lineOf, { shape, kind })))
}

/** Aliases are counted only here: too many of them are refused, since a few lines can stand for gigabytes. */
function toValue(document: Document, unreadable: (line: number, message: string) => Mistake): unknown {
  try {
    return document.toJS()
  } catch (error) {
    throw new MistakesError([unreadable(1, (error as Error).message)])
  }
}

/** Of the forms that a part may have, the one that was meant: the one whose kind (text or mapping) fits. */
function unfold(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const fits = issue.errors.find(
    (form) => !form.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
  )
  if (!fits) return [issue]
  return fits.flatMap((inner) => unfold({ ...inner, path: [...issue.path, ...inner.path] }))
}

function shapeMistake(
  file: string,
  issue: z.core.$ZodIssue,
  lineOf: LineOf,
  { shape, kind }: { shape: z.ZodObject; kind: string },
): Mistake {
  const path = issue.path
  const where = path.length ? written(path) : `the ${kind}`
  if (issue.code === 'unrecognized_keys')
    return {
      file,
      line: lineOf([...path, issue.keys[0] ?? '']),
      message: `${where} has the unknown key "${issue.keys.join('", "')}"`,
      remedy: `mend the spelling or take it out; the keys here are ${keysAt(shape, path).join(', ')}`,
    }
  const missing = issue.code === 'invalid_type' && issue.message.includes('undefined')
  return {
    file,
    line: lineOf(path),
    message: missing ? `${where} is missing` : `${where}: ${issue.message}`,
    remedy: missing ? `add "${String(path.at(-1))}:"` : `mend the value of ${where}`,
  }
}

const written = (path: Path): string =>
  path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at ? `.${String(part)}` : String(part))).join('')

/** The keys that the mapping at a path may have, by the shape; none where the shape does not name them. */
function keysAt(shape: z.core.$ZodType, path: Path): string[] {
  const { def } = shape._zod as { def: Partial<ShapeParts> }
  const inner = def.innerType ?? def.in
  if (inner) return keysAt(inner, path)
  if (def.options) return [...new Set(def.options.flatMap((option) => keysAt(option, path)))]
  if (path.length === 0) return Object.keys(def.shape ?? {})
  const [key, ...rest] = path
  const next = def.element ?? def.valueType ?? def.shape?.[key as string]
  return next ? keysAt(next, rest) : []
}

/** What the kinds of a zod type are made of: a wrapper, a pipe, a union, a list, a record, a mapping. */
type ShapeParts = {
  innerType: z.core.$ZodType
  in: z.core.$ZodType
  options: readonly z.core.$ZodType[]
  element: z.core.$ZodType
  valueType: z.core.$ZodType
  shape: Record<string, z.core.$ZodType>
}

/** The offset of the part at a path (of its key, where it has one), or of the nearest part around it that exists. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const around = document.getIn(path.slice(0, length - 1), true)
    const keyed = isMap(around) && around.items.find(({ key }) => isScalar(key) && key.value === path[length - 1])?.key
    const found = keyed || document.getIn(path.slice(0, length), true)
    if (isNode(found) && found.range) return found.range[0]
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0
}
