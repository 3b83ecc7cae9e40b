#!/usr/bin/env node
// The `banyan` command line: one file a verb in commands/. Exit codes: 0 done, 1 failed, 2 refused.
import { userInfo } from 'node:os'
import { Command } from 'commander'
import { addAbort } from './commands/abort.ts'
import { addAudit } from './commands/audit.ts'
import { addBackfill } from './commands/backfill.ts'
import { addComplete } from './commands/complete.ts'
import { createCli } from './commands/create-cli.ts'
import { addDlq } from './commands/dlq.ts'
import { addDoctor } from './commands/doctor.ts'
import { addInit } from './commands/init.ts'
import { addParity } from './commands/parity.ts'
import { addPause } from './commands/pause.ts'
import { addPlan } from './commands/plan.ts'
import { addPrepare } from './commands/prepare.ts'
import { addRepair } from './commands/repair.ts'
import { addResume } from './commands/resume.ts'
import { addRollback } from './commands/rollback.ts'
import { addRun } from './commands/run.ts'
import { addSaga } from './commands/saga.ts'
import { addShadow } from './commands/shadow.ts'
import { addShift } from './commands/shift.ts'
import { addStatus } from './commands/status.ts'
import { addSwitch } from './commands/switch.ts'
import { addUnprepare } from './commands/unprepare.ts'
import { addVerify } from './commands/verify.ts'

const COMMANDS = [
  addInit,
  addDoctor,
  addPlan,
  addStatus,
  addPrepare,
  addUnprepare,
  addBackfill,
  addPause,
  addResume,
  addVerify,
  addRepair,
  addShadow,
  addShift,
  addSwitch,
  addRollback,
  addAbort,
  addComplete,
  addRun,
  addDlq,
  addSaga,
  addAudit,
  addParity,
]

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
for (const add of COMMANDS) add(program, cli)
await program.parseAsync()
