/** Numbers and times for people. */

export const count = (value) => Number(value).toLocaleString('en-US')

/** A short span: `0.3 s`, `12 s`, `4 min`, `3 h`. */
export function span(ms) {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`
  if (ms < 99_500) return `${Math.round(ms / 1000)} s`
  if (ms < 5_940_000) return `${Math.round(ms / 60_000)} min`
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`
}

export function milliseconds(ms) {
  if (ms === null) return '–'
  if (ms >= 1_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}

/** The time of day, and the day where it is another one. */
export function moment(text) {
  const at = new Date(text)
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`
}
