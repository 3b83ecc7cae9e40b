/** One question to Unleash's client API. */
import { type Payload, readPayload } from './payload.ts'

export type Fetched = { payload: Payload; etag: string | undefined } | 'unchanged'

/** The specification version this SDK's evaluation understands; servers send segments by reference to such clients. */
const CLIENT_SPEC = '5.2.0'
const TIMEOUT_MS = 2_000

/**
 * @param options.url The API's base, ending in `/api`.
 * @param options.etag Of the payload that is known; absent to get it whole.
 * @throws Error that says what stood in the way: `401: …`, a network error, or a payload that cannot be read.
 */
export async function fetchFeatures(options: {
  url: string
  token: string
  appName: string
  instanceId: string
  refreshMs: number
  etag: string | undefined
  signal: AbortSignal
}): Promise<Fetched> {
  const response = await fetch(`${options.url.replace(/\/+$/, '')}/client/features`, {
    headers: {
      authorization: options.token,
      'unleash-appname': options.appName,
      'unleash-instanceid': options.instanceId,
      'unleash-client-spec': CLIENT_SPEC,
      'unleash-interval': String(options.refreshMs),
      ...(options.etag ? { 'if-none-match': options.etag } : {}),
    },
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  }).catch((error: Error) => {
    throw error.cause instanceof Error ? new Error(error.cause.message, { cause: error }) : error
  })
  if (response.status === 304) return 'unchanged'
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`${response.status}: ${explain(response.status)}`)
  }
  return { payload: readPayload(await response.json()), etag: response.headers.get('etag') ?? undefined }
}

function explain(status: number): string {
  if (status === 401 || status === 403) return 'Unleash does not accept the client token; asked again all the same'
  return 'Unleash did not answer with features'
}
