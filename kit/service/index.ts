/** The shape of a process: configuration, logs, problems, app, serving and stopping, tokens, calls, fail points. */
export { createApp, finishApp } from './app.ts'
export { ConfigError, jsonVariable, processConfig, readConfig } from './config.ts'
export { createHealth, type Health } from './health.ts'
export { createLogger, type Logger } from './logger.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { Problem, problem } from './problem.ts'
export { problemBody, problemDetails, toProblem } from './problem-details.ts'
export { isRefusal, refusal, type Side } from './refusal.ts'
export {
  acceptTraceparent,
  childTraceparent,
  currentContext,
  type RequestContext,
  runInContext,
  traceIdOf,
} from './request-context.ts'
