/** OpenTelemetry's SDK, which only a process with a collector loads. */
import { type DiagLogger, DiagLogLevel, diag, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger } from './logger.ts'
import type { Telemetry, TelemetryOptions } from './telemetry.ts'
import type { TelemetrySettings } from './telemetry-settings.ts'

const CLOSE_BOUND_MS = 2_000
/** A collector that is away is no news after the first time, for a while. */
const COMPLAIN_EVERY_MS = 60_000

/**
 * Sends the spans of this process in batches, in the background. What does not fit a queue of 2,048 spans is dropped:
 * work never waits for a collector.
 */
export function exportSpans(endpoint: string, { name, build, settings, logger }: TelemetryOptions): Telemetry {
  diag.setLogger(complaints(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const version = build === undefined ? {} : { 'service.version': build }
  const own = resourceFromAttributes({ 'service.name': name, ...version })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(own)
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(settings),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
        scheduledDelayMillis: settings.OTEL_BSP_SCHEDULE_DELAY ?? 5_000,
      }),
    ],
  })
  trace.setGlobalTracerProvider(provider)
  return {
    async close() {
      const bound = Promise.withResolvers<void>()
      const timer = setTimeout(() => {
        logger.warn({ boundMs: CLOSE_BOUND_MS }, 'the collector did not take the last spans in time')
        bound.resolve()
      }, CLOSE_BOUND_MS)
      const sent = provider.shutdown().catch((err) => logger.warn({ err }, 'the last spans were not exported'))
      await Promise.race([sent, bound.promise])
      clearTimeout(timer)
      trace.disable()
    },
  }
}

function samplerOf(settings: TelemetrySettings): Sampler {
  const { OTEL_TRACES_SAMPLER: named = 'parentbased_always_on', OTEL_TRACES_SAMPLER_ARG: ratio = 1 } = settings
  const own = rootOf(named.replace('parentbased_', ''), ratio)
  return named.startsWith('parentbased_') ? new ParentBasedSampler({ root: own }) : own
}

function rootOf(named: string, ratio: number): Sampler {
  if (named === 'always_off') return new AlwaysOffSampler()
  return named === 'traceidratio' ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler()
}

function complaints(logger: Logger): DiagLogger {
  let quietUntil = 0
  const complain = (message: string) => {
    if (performance.now() < quietUntil) return
    quietUntil = performance.now() + COMPLAIN_EVERY_MS
    logger.warn({ why: message }, 'spans are not exported')
  }
  const ignore = () => undefined
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore }
}
