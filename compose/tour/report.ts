/** The result of a tour, as written by `--report`. */
import { writeFileSync } from 'node:fs'
import type { Ledger } from '../ledger/compare.ts'
import type { Traffic } from '../shoppers/measure.ts'

export type SwitchReport = {
  direction: 'to-service' | 'to-monolith'
  /** The slowest write that the switch may have held; orders with slow cards and password hashes are not measured. */
  pauseMs: number
  /** How many requests the proxy held and let go, all kinds. */
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
export type Report = { ok: boolean; stages: StageReport[]; traffic: Traffic; ledger: Ledger }

/** @param file where; an existing file is replaced */
export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
}
