import type { Runtime } from '../runtime.ts'

/** Runs a step and adds its milliseconds to those of the attempt under way. */
export async function timed<T>(run: Runtime, step: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  try {
    return await work()
  } finally {
    run.timings[step] = (run.timings[step] ?? 0) + performance.now() - began
  }
}
