/** What an image's process may run of the sources: its workspace, and what that imports of others, however indirectly. */
import { dirname, join } from 'node:path/posix'

const KIT = '@banyan/kit'
/** Tests and what helps them run in no image; what they import says nothing about it. */
const TESTS = /\.test\.ts$|(^|\/)testing\//

/**
 * Parts are workspaces by their folder, but each folder of the kit is one of its own: a service that imports the outbox
 * is none the newer for a change to sagas. `kit` is what lies beside those folders.
 * @param sources text of every source file, by its path from the root
 * @returns for the folder of an image's process, as `extracted/user-service`: the parts, sorted, its own among them
 */
export function closures(sources: ReadonlyMap<string, string>): (workspace: string) => string[] {
  const uses = partsUsed(sources)
  return (workspace) => {
    const reached = new Set([workspace])
    for (const part of reached) for (const used of uses.get(part) ?? []) reached.add(used)
    return [...reached].sort()
  }
}

/** The part that a file belongs to; a file of no workspace is a part by itself. */
export function partOf(path: string): string {
  const [first = '', second = '', ...deeper] = path.split('/')
  if (first === 'extracted') return `${first}/${second}`
  if (first === 'kit' && deeper.length > 0) return `${first}/${second}`
  return first
}

/** Whether a change to this file can change an image. */
export function goesIntoImages(path: string): boolean {
  return !/\.test\.ts$/.test(path)
}

function partsUsed(sources: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const uses = new Map<string, Set<string>>()
  for (const [path, text] of sources) {
    if (TESTS.test(path)) continue
    const part = partOf(path)
    const used = uses.get(part) ?? new Set()
    uses.set(part, used)
    for (const specifier of specifiersIn(text)) for (const other of partsNamed(path, specifier)) used.add(other)
  }
  return uses
}

/** Of imports, static and not. What a module reads from another workspace by its address is not in its image. */
function specifiersIn(text: string): string[] {
  const named = /(?:\bfrom|\bimport|\bimport\s*\()\s*(['"`])([^'"`\n]+)\1/g
  return [...text.matchAll(named)].map(([, , specifier = '']) => specifier)
}

function partsNamed(from: string, specifier: string): string[] {
  if (specifier === KIT) return ['kit']
  if (specifier.startsWith(`${KIT}/`)) return ['kit', `kit/${specifier.slice(KIT.length + 1).split('/')[0]}`]
  if (!specifier.startsWith('.')) return []
  const path = join(dirname(from), specifier)
  return path.startsWith('..') ? [] : [partOf(path)]
}
