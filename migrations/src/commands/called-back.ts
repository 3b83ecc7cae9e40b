/** The guard has sent the reads back: exit code 1, and the share is 0 again. */
export class CalledBack extends Error {
  readonly code = 'called-back'
  readonly details: Readonly<Record<string, unknown>>

  constructor(because: string, details: Readonly<Record<string, unknown>>) {
    super(because)
    this.name = 'CalledBack'
    this.details = details
  }
}
