/** How a process in front ends: Ctrl-C, SIGTERM, or the end of whoever started it. */
import { Socket } from 'node:net'

/**
 * Runs `stop` once, at the first reason to end, then exits; a second Ctrl-C does not wait for it any longer (the
 * children end by themselves, when their stdin closes).
 * @param stop bounded by itself
 * @param code what to exit with after a signal
 */
export function endWithStarter(stop: () => Promise<void>, code = 130): void {
  let first: number | undefined
  const end = async () => {
    if (first !== undefined) {
      // One Ctrl-C arrives more than once: from the terminal, from npm and from run.mjs.
      if (Date.now() - first > 1_500) process.exit(code)
      return
    }
    first = Date.now()
    await stop().catch((error) => console.error((error as Error).message))
    process.exit(code)
  }
  // A terminal that has gone away must not keep this process from stopping the others.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end())
  // run.mjs holds the other end of this pipe; when it is killed, the pipe closes.
  const descriptor = Number(process.env.BANYAN_LIFELINE_FD)
  // It is this process's own: what it starts has another fourth descriptor, or none.
  delete process.env.BANYAN_LIFELINE_FD
  if (!Number.isInteger(descriptor) || descriptor < 3) return
  // A socket, not a file stream: a pending read of a file would keep process.exit() waiting for ever.
  const lifeline = new Socket({ fd: descriptor, readable: true, writable: false })
  lifeline.on('error', () => void end())
  lifeline.on('end', () => void end())
  lifeline.resume()
  lifeline.unref()
}
