/** `traced-service.ts` as a process: what it logs, and which modules it loads. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endWithRunner } from '../../../tests/support/end-with-runner.ts'

type Line = { msg?: string; url?: string; loaded?: string; traceId?: string }

export type Started = {
  url: string
  lines: readonly Line[]
  /** URLs of all modules so far. */
  readonly loaded: string[]
  said(message: string): Line[]
  untilSaid(message: string): Promise<void>
  /** By SIGTERM. @returns the exit code */
  stop(): Promise<number | null>
}

const PROCESS = fileURLToPath(new URL('./traced-service.ts', import.meta.url))
/** Tells each module that is loaded, in a line of its own among the logs. */
const TELL_LOADED = `data:text/javascript,${encodeURIComponent(`import { registerHooks } from 'node:module'
registerHooks({ load: (url, context, next) => (console.log(JSON.stringify({ loaded: url })), next(url, context)) })`)}`

export async function startTraced(options: object): Promise<Started> {
  const args = ['--import', TELL_LOADED, PROCESS, JSON.stringify(options)]
  const child = endWithRunner(spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }))
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const lines: Line[] = []
  const output = createInterface(child.stdout)
  output.on('line', (line) => lines.push(JSON.parse(line)))
  const said = (message: string) => lines.filter(({ msg }) => msg === message)
  const untilSaid = async (message: string) => {
    const signal = AbortSignal.timeout(60_000)
    while (said(message).length === 0) {
      await Promise.race([
        once(output, 'line', { signal }),
        exited.then((code) => {
          throw new Error(`ended with ${code} before it said "${message}"`)
        }),
      ])
    }
  }
  await untilSaid('listening')
  return {
    url: said('listening')[0]!.url!,
    lines,
    get loaded() {
      return lines.flatMap(({ loaded }) => loaded ?? [])
    },
    said,
    untilSaid,
    async stop() {
      child.kill('SIGTERM')
      return await exited
    },
  }
}
