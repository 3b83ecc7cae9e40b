#!/usr/bin/env node
// The `banyan` command line: one file a verb in commands/. Exit codes: 0 done, 1 failed, 2 refused.
import { userInfo } from 'node:os'
import { Command } from 'commander'
import type { AddCommand } from './commands/cli.ts'
import { createCli } from './commands/create-cli.ts'

/** In the order of the help. Loaded when they are needed: all of them together take a second of processor time. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  init: async () => (await import('./commands/init.ts')).addInit,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  plan: async () => (await import('./commands/plan.ts')).addPlan,
  status: async () => (await import('./commands/status.ts')).addStatus,
  prepare: async () => (await import('./commands/prepare.ts')).addPrepare,
  unprepare: async () => (await import('./commands/unprepare.ts')).addUnprepare,
  backfill: async () => (await import('./commands/backfill.ts')).addBackfill,
  pause: async () => (await import('./commands/pause.ts')).addPause,
  resume: async () => (await import('./commands/resume.ts')).addResume,
  verify: async () => (await import('./commands/verify.ts')).addVerify,
  repair: async () => (await import('./commands/repair.ts')).addRepair,
  shadow: async () => (await import('./commands/shadow.ts')).addShadow,
  shift: async () => (await import('./commands/shift.ts')).addShift,
  switch: async () => (await import('./commands/switch.ts')).addSwitch,
  rollback: async () => (await import('./commands/rollback.ts')).addRollback,
  abort: async () => (await import('./commands/abort.ts')).addAbort,
  complete: async () => (await import('./commands/complete.ts')).addComplete,
  run: async () => (await import('./commands/run.ts')).addRun,
  dlq: async () => (await import('./commands/dlq.ts')).addDlq,
  saga: async () => (await import('./commands/saga.ts')).addSaga,
  audit: async () => (await import('./commands/audit.ts')).addAudit,
  parity: async () => (await import('./commands/parity.ts')).addParity,
}

const cli = createCli({
  env: process.env,
  who: process.env.BANYAN_WHO ?? userInfo().username,
  out: process.stdout,
  err: process.stderr,
  exit: (code) => {
    process.exitCode = code
  },
})

const program = new Command('banyan')
  .description('takes a bounded context out of a monolith, under live traffic, with a way back')
  .showHelpAfterError()
program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
const [verb = ''] = process.argv.slice(2)
const needed = Object.hasOwn(COMMANDS, verb) ? [COMMANDS[verb]!] : Object.values(COMMANDS)
for (const load of needed) (await load())(program, cli)
await program.parseAsync()
