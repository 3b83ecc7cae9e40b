import { armFailPoints, closeAll, createLogger, endWithParent, onSignals, startTelemetry } from '@banyan/kit/service'
import { startMover } from '../mover/run.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

export const addRun: AddCommand = (program, cli) => {
  program
    .command('run')
    .description('run the mover: it carries out what is asked for; one leads, others stand by')
    .action(() =>
      cli.run({}, async (setup) => {
        const { config } = setup
        const plans = await setup.plans()
        if (plans.size === 0) throw new Refused(`plans to carry out; ${config.BANYAN_PLANS} (BANYAN_PLANS) has none`)
        setup.refuseNowhere(plans.values())
        armFailPoints(config.FAIL_POINTS)
        const logger = createLogger({ name: 'mover', level: config.LOG_LEVEL })
        const telemetry = await startTelemetry({ name: 'mover', build: config.BUILD, settings: config, logger })
        const watch = await setup.watchedFlags(logger)
        const mover = startMover({
          controlUrl: setup.controlUrl(),
          databaseUrl: setup.databaseUrl,
          amqpUrl: setup.amqpUrl(),
          plans,
          flags: watch ? { watch, admin: setup.flagAdmin() } : undefined,
          budgetMs: config.SWITCH_BUDGET_MS,
          copyLimits: { lagMs: config.COPY_MAX_LAG_MS, load: config.COPY_MAX_LOAD },
          logger,
        })
        const stopped = Promise.withResolvers<string>()
        onSignals(stopped.resolve)
        const letGo = endWithParent(config.BANYAN_LIFELINE, stopped.resolve)
        logger.info({ reason: await stopped.promise }, 'stops')
        letGo()
        const closing = [() => mover.stop(), () => watch?.close(), () => telemetry.close()]
        const clean = await closeAll(closing, config.SHUTDOWN_GRACE_MS, logger)
        // Whatever has not closed in time, as a connection to a server that has gone silent, would keep the process up.
        process.exit(clean ? 0 : 1)
      }),
    )
}
