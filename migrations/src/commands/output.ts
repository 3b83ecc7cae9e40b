export type Output = {
  json: boolean
  /** A line for people; silent under `--json`. */
  line(text: string): void
  /** The command's result: the only thing on standard output under `--json`. */
  result(value: unknown, text: string): void
  /** Whether there has been a result. */
  hasResult(): boolean
  /** Shows how far something is: a bar redrawn in place at a terminal, a plain line for each change elsewhere. */
  progress(text: string, share: number | null): void
  endProgress(): void
}

type Stream = { write(text: string): unknown; isTTY?: boolean | undefined; columns?: number | undefined }

const BAR = 30

export function createOutput(options: { json: boolean; out: Stream; err: Stream }): Output {
  const { json, out, err } = options
  let shown = ''
  let told = false
  const bar = err.isTTY === true && !json
  const show = (text: string, share: number | null): void => {
    const filled = share === null ? 0 : Math.round(Math.min(1, share) * BAR)
    const drawn = share === null ? text : `[${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}] ${text}`
    if (drawn === shown) return
    shown = drawn
    if (bar) err.write(`\r\u001b[2K${drawn.slice(0, (err.columns ?? 100) - 1)}`)
    else if (!json) err.write(`${text}\n`)
  }
  return {
    json,
    line(text) {
      if (!json) out.write(`${text}\n`)
    },
    result(value, text) {
      told = true
      out.write(json ? `${JSON.stringify(value, plain, 2)}\n` : `${text}\n`)
    },
    hasResult: () => told,
    progress: show,
    endProgress() {
      if (bar && shown) err.write('\r\u001b[2K')
      shown = ''
    },
  }
}

/** Counters are bigints, and JSON has none. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
