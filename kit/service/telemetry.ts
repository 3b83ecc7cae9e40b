/** Whether this process sends its spans anywhere; if not, no SDK is loaded. */
import type { Logger } from './logger.ts'
import type { TelemetrySettings } from './telemetry-settings.ts'

export type Telemetry = {
  /** Sends what is left, within two seconds; never rejects, since a collector that is away must not fail a stop. */
  close(): Promise<void>
}

export type TelemetryOptions = {
  /** The service's name in every span, unless OTEL_SERVICE_NAME says another. */
  name: string
  /** What runs, as `buildOf` says it. */
  build?: string | undefined
  settings: TelemetrySettings
  logger: Logger
}

/** Begins to export spans where the configuration has an endpoint. Once in a process, before its first span. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const endpoint = options.settings.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return { close: async () => undefined }
  // Loading the SDK costs a process tens of milliseconds and megabytes, also where nobody wants its spans.
  const { exportSpans } = await import('./export-spans.ts')
  return exportSpans(endpoint, options)
}
