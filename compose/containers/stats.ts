/** What `docker stats` says of a container. */
export type Sample = { container: string; mib: number; cpu: number }

const IN_MIB: Record<string, number> = { B: 1 / 1024 ** 2, KiB: 1 / 1024, MiB: 1, GiB: 1024 }

/**
 * @param lines of `docker stats --no-stream --format '{{json .}}'`
 * @returns a sample of each container; `cpu` in percent of one processor
 * @throws for a size in a unit that is not known
 */
export function readStats(lines: string): Sample[] {
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { Name, MemUsage, CPUPerc } = JSON.parse(line) as Record<'Name' | 'MemUsage' | 'CPUPerc', string>
      const [, number, unit = ''] = /^([\d.]+)([A-Za-z]+) \//.exec(MemUsage) ?? []
      const factor = IN_MIB[unit]
      if (factor === undefined) throw new Error(`docker stats says of ${Name}: ${MemUsage}`)
      return { container: Name, mib: Number(number) * factor, cpu: Number.parseFloat(CPUPerc) }
    })
}

/** @returns of several samples of each container its mean, in the order of its name */
export function means(samples: readonly Sample[]): Sample[] {
  const of = Map.groupBy(samples, ({ container }) => container)
  const mean = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
  return [...of]
    .map(([container, all]) => ({
      container,
      mib: mean(all.map(({ mib }) => mib)),
      cpu: mean(all.map(({ cpu }) => cpu)),
    }))
    .sort((a, b) => a.container.localeCompare(b.container))
}
