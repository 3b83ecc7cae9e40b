import { readFileSync } from 'node:fs'
import { placeShape } from '@banyan/kit/parity'
import { z } from 'zod'
import { Refused } from './refused.ts'

const sidesShape = z.strictObject({ left: placeShape, right: placeShape, twin: placeShape.optional() })
export type Sides = z.infer<typeof sidesShape>

type Given = {
  sides?: string
  identities?: string
  left?: string
  right?: string
  twin?: string
  sandbox?: boolean
}

/**
 * The sides that the options of `banyan parity` describe, by a file or one by one.
 * @throws Error when they name none; Refused with what is wrong in what they say
 */
export function readSides({ sides, identities: file, left, right, twin, sandbox }: Given): Sides {
  if (sides) return check('--sides', readJson('--sides', sides))
  if (!left || !right) throw new Error('say --left URL and --right URL, or --sides FILE')
  const identities = file ? readJson('--identities', file) : {}
  return check('--left, --right, --twin and --identities', {
    left: { name: 'left', url: left, sandbox, identities },
    right: { name: 'right', url: right, sandbox, identities },
    ...(twin ? { twin: { name: 'twin', url: twin, sandbox, identities } } : {}),
  })
}

function check(options: string, given: unknown): Sides {
  const read = sidesShape.safeParse(given)
  if (read.success) return read.data
  const wrong = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Refused(`${options} to describe the sides; ${wrong.join('; ')}`)
}

function readJson(option: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    // The parser would quote from the file, which holds passwords and tokens.
    const why = error instanceof SyntaxError ? 'it is none' : (error as Error).message
    throw new Refused(`${option} to name a file of JSON; ${file}: ${why}`)
  }
}
