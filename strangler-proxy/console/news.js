/** Tells of what has changed to who listens rather than looks, and of what an action came to to both. */
import { at, say } from './dom.js'

let hideTold

/** What an action of one's own came to. */
export function tell(text, failed = false) {
  const told = at('told')
  told.classList.toggle('bad', failed)
  say(told, text)
  clearTimeout(hideTold)
  hideTold = setTimeout(() => say(told, ''), failed ? 12_000 : 5_000)
}

/** Reads out how contexts differ from the picture before. */
export function announce(before, now) {
  if (before === null) return
  const former = new Map(before.contexts.map((one) => [one.context, one]))
  const changes = now.contexts.flatMap((one) => differences(former.get(one.context), one))
  if (changes.length > 0) say(at('news'), changes.join('. '))
}

function differences(before, now) {
  if (before === undefined) return []
  const found = []
  const name = now.context
  if (before.owner !== now.owner) found.push(`${name} is now owned by the ${now.owner}`)
  if (before.phase !== now.phase) found.push(`${name} is ${now.phase}`)
  if (before.flag.share !== now.flag.share)
    found.push(`${name}: ${now.flag.share ?? 'an unknown share'} percent of reads`)
  if (before.reads !== now.reads) found.push(`${name}: the kill switch is ${now.reads === 'owner' ? 'on' : 'off'}`)
  if (before.intent?.waitsFor !== now.intent?.waitsFor && now.intent?.waitsFor)
    found.push(`${name}: ${now.intent.verb} waits for ${now.intent.waitsFor}`)
  if (before.last?.id !== now.last?.id && now.last?.state !== 'done' && now.last)
    found.push(`${name}: ${now.last.verb} was ${now.last.state}, ${now.last.because}`)
  if (before.watch?.decision !== now.watch?.decision && now.watch?.because)
    found.push(`${name}: the guard says ${now.watch.decision}, ${now.watch.because}`)
  return found
}
