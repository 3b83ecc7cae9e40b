import type { Report } from '@banyan/kit/parity'
import pg from 'pg'
import { recordParityRun } from '../control/parity-runs.ts'

/**
 * Writes what a run found into the control database, where a switch of these builds asks for it.
 * @param controlUrl the control database, as the role that runs the mover's commands
 * @throws Error when a side does not tell its build, or the control database does not know the context
 */
export async function recordParity(controlUrl: string, report: Report, who: string): Promise<void> {
  const { context, builds, sides, verdict, reasons, seed, requests, compared } = report
  for (const side of ['left', 'right'] as const)
    if (builds[side] === null) throw new Error(`not recorded: ${sides[side]} does not tell its build at /health/ready`)
  const control = new pg.Client({ connectionString: controlUrl, application_name: 'banyan parity' })
  await control.connect()
  try {
    const found = { verdict, reasons, seed, requests, compared, who }
    await recordParityRun(control, context, { ...found, monolithBuild: builds.left!, serviceBuild: builds.right! })
  } finally {
    await control.end()
  }
}
