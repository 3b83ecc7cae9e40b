/** The shape of a process: configuration, logs, problems, app, serving and stopping, tokens, calls, fail points. */
export { createApp, finishApp } from './app.ts'
export type { Answer } from './attempt.ts'
export { authenticate, bearerOf, requireRole, requireUser, type User } from './authenticate.ts'
export { buildOf } from './build.ts'
export { Ambiguous, CallError, NotSent, Timeout } from './call-errors.ts'
export { type Call, type Caller, type CallerOptions, createCaller } from './caller.ts'
export { ConfigError, jsonVariable, processConfig, readConfig } from './config.ts'
export { type Context, type Running, startContexts } from './context.ts'
export { type ContextClient, createContextClient } from './context-client.ts'
export { type DatabaseSettings, databaseSettings } from './database.ts'
export { messageWithoutValues } from './error-values.ts'
export { type ArmedFailPoints, armFailPoints, FailPointError, failPoint } from './fail-points.ts'
export { createHealth, type Health } from './health.ts'
export { createInternalSigner, type InternalSigner, requireInternal } from './internal-tokens.ts'
export { createLogger, type Logger } from './logger.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { startPeriodic } from './periodic.ts'
export { Problem, problem } from './problem.ts'
export { problemBody, problemDetails, toProblem } from './problem-details.ts'
export { isRefusal, isRefused, refusal, type Side } from './refusal.ts'
export { createRemoteCall, nowhere, type RemoteCall } from './remote-call.ts'
export {
  acceptTraceparent,
  childTraceparent,
  currentContext,
  type RequestContext,
  runInContext,
  traceIdOf,
} from './request-context.ts'
export { idempotencyKey, pageQuery, pathId, storableText } from './requests.ts'
export { createRetryBudget, type RetryBudget } from './retry.ts'
export { type Served, type ServeOptions, serve } from './serve.ts'
export { jwksVariable, jwkVariable, type ServiceConfig, serviceConfig } from './service-config.ts'
export { closeAll, endWithParent, onSignals } from './shutdown.ts'
export { withSpan } from './span.ts'
export { type ServiceParts, type StartServiceOptions, startService } from './start-service.ts'
export { createTokenSigner, createTokenVerifier, publicJwks, type TokenSigner, type TokenVerifier } from './tokens.ts'
