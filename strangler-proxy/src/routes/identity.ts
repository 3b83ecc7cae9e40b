import type { Path } from '@banyan/kit/yaml'
import { CARRIES_REQUEST, type IdentityHeaders, isIdentity, isNeverPassed, means } from '../stripped.ts'

export interface PlacedFault {
  /** Where it stands in the file. */
  readonly at: Path
  readonly message: string
  readonly remedy: string
}

/** What is wrong with the headers a table has taken from clients, or left to them. */
export function identityFaults({ strip, keep }: IdentityHeaders): PlacedFault[] {
  const faults: PlacedFault[] = []
  for (const [index, written] of strip.entries()) {
    const at = ['identity', 'strip', index]
    const carries = CARRIES_REQUEST.find((name) => means(written, name))
    if (carries !== undefined)
      faults.push({ at, message: `"${written}" would take "${carries}" from every request`, remedy: 'remove it' })
    else if (isNeverPassed(written.replace('*', '')) || isIdentity(written.replace('*', '')))
      faults.push({ at, message: `"${written}" is taken from clients in any case`, remedy: 'remove it' })
  }
  for (const [index, name] of keep.entries()) {
    const at = ['identity', 'keep', index]
    if (name.endsWith('*')) {
      const remedy = 'name each header that clients may send'
      faults.push({ at, message: `"${name}" would keep headers that nobody has thought of`, remedy })
    } else if (isNeverPassed(name)) {
      const message = `"${name}" belongs to the hop or to the proxy and is never passed on`
      faults.push({ at, message, remedy: 'remove it' })
    } else if (!isIdentity(name) && !strip.some((written) => means(written, name)))
      faults.push({ at, message: `nothing takes "${name}" away`, remedy: 'remove it' })
  }
  return faults
}
