/** How the tour writes to the terminal; without one, the same in plain lines. */

const colour = process.stdout.isTTY && !process.env.NO_COLOR

/** A heading of a chapter or of a step. */
export function title(text: string, kind: 'chapter' | 'step' = 'chapter'): void {
  const line = kind === 'chapter' ? `━━ ${text} ${'━'.repeat(Math.max(0, 70 - text.length))}` : `── ${text}`
  console.log(`\n${colour ? `\u001b[1m${line}\u001b[0m` : line}`)
}

/** Prose of the page, without its empty lines at both ends. */
export function indented(text: string): void {
  const trimmed = text.trim()
  if (trimmed) console.log(trimmed.replace(/^(?=.)/gm, '   '))
}

/** Lines of two columns. */
export function columns(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value}`)
}
