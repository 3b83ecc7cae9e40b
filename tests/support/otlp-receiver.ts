/** A collector for tests: takes spans by OTLP over HTTP, as JSON, and keeps them. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'

export type ReceivedSpan = {
  service: string
  name: string
  traceId: string
  spanId: string
  /** Empty for the first of a trace. */
  parentSpanId: string
  /** As OTLP counts them: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number
  failed: boolean
  attributes: Record<string, unknown>
}

export type OtlpReceiver = {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string
  spans: readonly ReceivedSpan[]
  /** @throws with what came instead, when `condition` does not hold within `withinMs` */
  until(what: string, condition: (spans: readonly ReceivedSpan[]) => boolean, withinMs?: number): Promise<void>
  close(): Promise<void>
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const server = createServer((req, res) => {
    void bodyOf(req).then((body) => {
      for (const { resource, scopeSpans } of body.resourceSpans ?? [])
        for (const one of scopeSpans.flatMap((scope) => scope.spans)) spans.push(received(one, resource))
      res.setHeader('content-type', 'application/json').end('{}')
      server.emit('spans')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async until(what, condition, withinMs = 30_000) {
      const signal = AbortSignal.timeout(withinMs)
      try {
        while (!condition(spans)) await once(server, 'spans', { signal })
      } catch {
        throw new Error(`waited ${withinMs} ms in vain until ${what}; there came\n${drawn(spans)}`)
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Where the span hangs: itself, its parent and so on, up to the first of the trace or one that never came. */
export function lineOf(span: ReceivedSpan, spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const parent = spans.find(({ traceId, spanId }) => traceId === span.traceId && spanId === span.parentSpanId)
  return parent ? [span, ...lineOf(parent, spans)] : [span]
}

type Attribute = { key: string; value: Record<string, unknown> }
type Resource = { attributes: Attribute[] }
type WireSpan = {
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
  kind: number
  status?: { code?: number }
  attributes?: Attribute[]
}
type Body = { resourceSpans?: { resource: Resource; scopeSpans: { spans: WireSpan[] }[] }[] }

async function bodyOf(req: IncomingMessage): Promise<Body> {
  if (req.headers['content-encoding'] !== 'gzip') return JSON.parse(await text(req))
  const chunks = await Array.fromAsync(req)
  return JSON.parse(gunzipSync(Buffer.concat(chunks)).toString())
}

function received(span: WireSpan, resource: Resource): ReceivedSpan {
  const { name, traceId, spanId, parentSpanId = '', kind } = span
  const service = String(valuesOf(resource.attributes)['service.name'])
  const failed = span.status?.code === 2
  return { service, name, traceId, spanId, parentSpanId, kind, failed, attributes: valuesOf(span.attributes ?? []) }
}

function valuesOf(attributes: Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

function drawn(spans: readonly ReceivedSpan[]): string {
  return spans.map((one) => lineOf(one, spans).map(({ service, name }) => `${service} ${name}`)).join('\n')
}
