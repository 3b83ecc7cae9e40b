/** One thing wrong with a plan: where it stands, what was seen, what to do. */
export type Mistake = { file: string; line: number; message: string; remedy: string }

/** A plan that must not be acted on; every mistake at once, each with file, line and remedy. */
export class PlanError extends Error {
  readonly code = 'plan-refused'
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(describeMistake).join('\n'))
    this.name = 'PlanError'
    this.mistakes = mistakes
  }
}

/** `file:line: what is wrong. Remedy: what to do`, which editors and terminals make clickable. */
export function describeMistake({ file, line, message, remedy }: Mistake): string {
  return `${file}:${line}: ${message}. Remedy: ${remedy}`
}
