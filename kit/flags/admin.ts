import { z } from 'zod'

const strategy = z.object({
  id: z.string(),
  name: z.string(),
  parameters: z.record(z.string(), z.string()).default({}),
  disabled: z.boolean().nullish(),
  constraints: z.array(z.unknown()).nullish(),
  segments: z.array(z.unknown()).nullish(),
})
const strategies = z.object({
  enabled: z.boolean(),
  strategies: z.array(strategy).transform((all) => all.filter(({ disabled }) => !disabled)),
})

/** A share of everybody, rather than of a few. */
const isShare = ({ name, constraints, segments }: z.infer<typeof strategy>) =>
  name === 'flexibleRollout' && !constraints?.length && !segments?.length

export type FlagAdmin = {
  /** The share of a gradual rollout, in percent; 0 where the flag is off, null where one number cannot say it. */
  share(flag: string): Promise<number | null>
  /**
   * Sets the share of a gradual rollout, in percent, and switches the flag on in the environment.
   * @throws Error where another strategy would turn the flag on for more; nothing has changed then
   */
  setShare(flag: string, percent: number): Promise<void>
  /** Switches a yes-or-no flag on for everybody, or off. */
  setOn(flag: string, on: boolean): Promise<void>
  /** Takes the flag out of use. */
  archive(flag: string): Promise<void>
  /** The requests `setShare` would send, for `--dry-run`. */
  describe(flag: string, percent: number): string[]
}

/**
 * Sets routing flags through Unleash's admin API.
 * @param url Unleash's API, ending in `/api`
 */
export function createFlagAdmin({
  url,
  adminToken,
  environment,
}: {
  url: string
  adminToken: string
  environment: string
}): FlagAdmin {
  const features = '/admin/projects/default/features'
  const inEnvironment = (flag: string) => `${features}/${encodeURIComponent(flag)}/environments/${environment}`
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(url.replace(/\/$/, '') + path, {
      method,
      headers: { authorization: adminToken, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(5_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`Unleash answered ${response.status} to ${method} ${path}: ${text.slice(0, 200)}`)
    return text.startsWith('{') ? JSON.parse(text) : null
  }
  const setShare = async (flag: string, percent: number): Promise<void> => {
    const found = strategies.parse(await call('GET', inEnvironment(flag)))
    const rollout = found.strategies.find(isShare)
    // Whoever is told that the share is set takes it that no more are on: the guard of a climb, for one.
    if (percent < 100 && found.strategies.some((one) => one !== rollout))
      throw new Error(
        `${flag} has another strategy beside its share, and is on for whom that says; take it out in Unleash, or switch the flag off`,
      )
    if (rollout)
      await call('PATCH', `${inEnvironment(flag)}/strategies/${rollout.id}`, [
        { op: 'replace', path: '/parameters', value: { ...rollout.parameters, rollout: String(percent) } },
      ])
    else
      await call('POST', `${inEnvironment(flag)}/strategies`, {
        name: 'flexibleRollout',
        constraints: [],
        parameters: { rollout: String(percent), stickiness: 'default', groupId: flag },
      })
    if (!found.enabled) await call('POST', `${inEnvironment(flag)}/on`)
  }
  return {
    async share(flag) {
      const found = strategies.parse(await call('GET', inEnvironment(flag)))
      if (!found.enabled) return 0
      const [only, ...more] = found.strategies
      return only && isShare(only) && more.length === 0 ? Number(only.parameters.rollout) : null
    },
    setShare,
    async setOn(flag, on) {
      if (on) await setShare(flag, 100)
      else await call('POST', `${inEnvironment(flag)}/off`)
    },
    async archive(flag) {
      await call('DELETE', `${features}/${encodeURIComponent(flag)}`)
    },
    describe: (flag, percent) => [
      `PATCH ${inEnvironment(flag)}/strategies/<its flexibleRollout> parameters.rollout = ${percent}`,
      `POST ${inEnvironment(flag)}/on`,
    ],
  }
}
