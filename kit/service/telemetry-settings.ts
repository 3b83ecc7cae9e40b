/** The standard variables of OpenTelemetry that a process takes (https://opentelemetry.io/docs/specs/otel/configuration). */
import { z } from 'zod'

/**
 * Part of every process's configuration. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, and of the exporter
 * `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT`, `_COMPRESSION` and those of certificates, are read by the SDK itself.
 */
export const telemetrySettings = {
  /** Where traces go, by OTLP over HTTP (`/v1/traces` is added); without it nothing is recorded, or even loaded. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Absent: `parentbased_always_on`, with which whoever is asked first decides for all. */
  OTEL_TRACES_SAMPLER: z
    .enum([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .optional(),
  /** The share of traces that a sampler by ratio keeps, from 0 to 1. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).optional(),
  /** Milliseconds that spans wait for more before they are sent. */
  OTEL_BSP_SCHEDULE_DELAY: z.coerce.number().int().min(1).max(60_000).optional(),
}

export type TelemetrySettings = Readonly<z.infer<z.ZodObject<typeof telemetrySettings>>>
