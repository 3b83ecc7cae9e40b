import type { Sample } from './sample.ts'

/**
 * A line for a shell that asks both sides the same again, through the operators' listener at `base`. `OPS_TOKEN`, and
 * `TOKEN` where the client had sent one, are variables: neither was kept. Null where the URL itself held a secret.
 *
 * The URL is a client's: whatever stands in it, to the shell it is one quoted word.
 */
export function replayCommand(base: string, sample: Sample): string | null {
  const { method, url, headers, signedIn } = sample
  if (url.includes('‹')) return null
  const body = JSON.stringify({ method, url, ...(Object.keys(headers).length > 0 ? { headers } : {}) })
  const said = signedIn
    ? `${quoted(`${body.slice(0, -1)},"authorization":"Bearer `)}"$TOKEN"${quoted('"}')}`
    : quoted(body)
  return [
    'curl -sS --fail-with-body',
    quoted(`${base}/mirror/replay`),
    '-H "Authorization: Bearer $OPS_TOKEN"',
    "-H 'Content-Type: application/json'",
    `--data-binary ${said}`,
  ].join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
