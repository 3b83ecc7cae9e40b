/** The result of a tour, as written by `--report`. */
import { writeFileSync } from 'node:fs'
import type { Ledger } from '../ledger/compare.ts'
import type { Traffic } from '../shoppers/measure.ts'

export type SwitchReport = {
  direction: 'to-service' | 'to-monolith'
  /**
   * The slowest write that the switch may have held, as its shopper saw it. Of an order whose card the provider answers
   * late it is only the time in which the switch was under way.
   */
  pauseMs: number
  /** How many requests the proxy held, whatever became of them, or sent again because a fenced side refused them. */
  held: number
  failed: number
}
export type StepReport = { title: string; command: string; seconds: number; ok: boolean }
export type StageReport = {
  name: string
  steps: StepReport[]
  rows: { copied: number; verified: number; different: number }
  switches: SwitchReport[]
}
/** A process that was killed on purpose, and started again at once. */
export type KillReport = {
  stage: string
  step: string
  process: string
  at: string
  /** From the kill until it served again; of a mover, which has no door to ask at, until it ran again. */
  awayMs: number
  /** Requests that were at it, or came for it meanwhile, and failed. */
  failedAtIt: number
}
export type ChaosReport = {
  seed: string
  kills: KillReport[]
  /** Commands of the page that failed of a kill and were given again, as whoever follows the page would do. */
  givenAgain: { stage: string; step: string; command: string }[]
  /** E-mails that a killed process had in its hand and that were sent a second time; not in the ledger's figure. */
  emailsRepeated: number
}
export type Report = { ok: boolean; stages: StageReport[]; traffic: Traffic; ledger: Ledger; chaos?: ChaosReport }

/** @param file where; an existing file is replaced */
export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
}
