import type { Flags } from '@banyan/kit/flags'
import type { ReadsFlag } from './decide.ts'

/**
 * A flag that each context has: `<context>-<kind>`. Its name is put together once, for one that is made for a request is
 * a new text to every table it is looked up in.
 */
export function contextFlag(flags: Pick<Flags, 'isOn'>, kind: 'reads' | 'shadow'): ReadsFlag {
  const names = new Map<string, string>()
  return (context, who) => {
    let name = names.get(context)
    if (name === undefined) {
      name = `${context}-${kind}`
      names.set(context, name)
    }
    return flags.isOn(name, who)
  }
}
