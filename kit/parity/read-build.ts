import { request } from 'undici'

/**
 * Asks a process what it runs, by the `build` of its `/health/ready`.
 * @returns null for one that does not say, or does not answer
 */
export async function readBuild(baseUrl: string): Promise<string | null> {
  try {
    const url = `${baseUrl.replace(/\/$/, '')}/health/ready`
    const { body } = await request(url, { signal: AbortSignal.timeout(5_000) })
    const told = (await body.json()) as { build?: unknown }
    return typeof told.build === 'string' ? told.build : null
  } catch {
    return null
  }
}
