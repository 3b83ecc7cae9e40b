// What both sandboxes share as processes: they say when they are ready and end with whoever started them.

/** Prints the line a starter waits for. */
export const announce = (name: string, url: string, more: object = {}): void => {
  process.stdout.write(`${JSON.stringify({ ready: name, url, ...more })}\n`)
}

/**
 * Ends the process on SIGTERM, SIGINT, or, when BANYAN_LIFELINE is `stdin`, when standard input closes: SIGKILL of the
 * parent reaches nobody else.
 */
export const endWithStarter = (close: () => Promise<void>): void => {
  let closing = false
  const end = async () => {
    if (closing) return
    closing = true
    setTimeout(() => process.exit(1), 2_000).unref()
    await close()
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  if (process.env.BANYAN_LIFELINE === 'stdin') {
    process.stdin.on('end', end).on('close', end).on('error', end).resume()
  }
}

/** A whole number from the environment, refused with its name when it is anything else. */
export const whole = (name: string, fallback: number): number => {
  const text = process.env[name]
  if (text === undefined || text === '') return fallback
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} must be a whole number, got ${JSON.stringify(text)}`)
  return Number(text)
}
