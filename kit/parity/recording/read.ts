import { readFileSync } from 'node:fs'
import { exchangeShape, headShape, RECORDING_VERSION, type Recorded } from './format.ts'

/**
 * Reads a recording. A last line that was cut short, as by a full disk, is left out.
 * @throws Error that names the file and the line when it is no recording of this version
 */
export function readRecording(file: string): Recorded[] {
  const text = readFileSync(file, 'utf8')
  const lines = text.split('\n')
  const unfinished = lines.pop()
  const [head, ...exchanges] = lines
  if (!headShape.safeParse(json(head ?? '')).success)
    throw new Error(`${file} is no recording of version ${RECORDING_VERSION}; its first line says which it is`)
  if (exchanges.length === 0)
    throw new Error(`${file} holds no request${unfinished ? ' that was written to its end' : ''}`)
  return exchanges.map((line, at) => {
    const read = exchangeShape.safeParse(json(line))
    if (read.success) return read.data
    const [fault] = read.error.issues
    throw new Error(`${file}:${at + 2}: ${fault?.path.join('.') || 'the line'}: ${fault?.message}`)
  })
}

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
