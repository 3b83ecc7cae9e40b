import { describeMistake } from '@banyan/kit/yaml'
import type { Db } from '../data/lane.ts'
import type { Plan } from './plan.ts'

/** One thing the doctor looked at. `line` is the plan's, where the plan is what must change. */
export type Finding = { check: string; ok: boolean; message: string; remedy?: string; line?: number }

/** Both sides of a context, as the doctor sees them: direct connections as the mover's role. */
export type Sides = { monolith: Db; service: Db }

export const healthy = (check: string, message: string): Finding => ({ check, ok: true, message })
export const ill = (check: string, message: string, remedy: string, line?: number): Finding => ({
  check,
  ok: false,
  message,
  remedy,
  ...(line === undefined ? {} : { line }),
})

/** `file:line: …` where the plan is at fault, the plain words elsewhere. */
export function describeFinding(plan: Plan, { check, message, remedy = '', line }: Finding): string {
  return line === undefined
    ? `${check}: ${message}. Remedy: ${remedy}`
    : describeMistake({ file: plan.file, line, message, remedy })
}
