/** One thing wrong in a file that people write: where it stands, what was seen, what to do. */
export type Mistake = { file: string; line: number; message: string; remedy: string }

/** A file that must not be acted on; every mistake at once, each with file, line and remedy. */
export class MistakesError extends Error {
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(describeMistake).join('\n'))
    this.name = 'MistakesError'
    this.mistakes = mistakes
  }
}

/** `file:line: what is wrong. Remedy: what to do`, which editors and terminals make clickable. */
export function describeMistake({ file, line, message, remedy }: Mistake): string {
  return `${file}:${line}: ${message}. Remedy: ${remedy}`
}
