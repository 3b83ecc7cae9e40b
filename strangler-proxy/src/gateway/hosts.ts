/** Whether a request names a host of ours; what it says goes on to upstreams, which may build links from it. */
export type IsOurHost = (host: string | undefined) => boolean

const NAME = /^[a-z0-9.-]+$/

/** @param hosts names in lower case, `*.` standing for whatever comes before the rest; null: any will do */
export function createHosts(hosts: readonly string[] | null): IsOurHost {
  if (hosts === null) return () => true
  const names = new Set(hosts.filter((one) => !one.startsWith('*.')))
  const endings = hosts.filter((one) => one.startsWith('*.')).map((one) => one.slice(1))
  return (host) => {
    if (host !== undefined && names.has(host)) return true
    const name = host?.toLowerCase().replace(/:\d*$/, '') ?? ''
    if (!NAME.test(name)) return false
    return names.has(name) || endings.some((ending) => name.endsWith(ending) && name.length > ending.length)
  }
}
