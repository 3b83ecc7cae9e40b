/** Out of order, or held by an interlock: exit code 2, and nothing has changed. */
export class Refused extends Error {
  readonly code = 'refused'

  constructor(waitsFor: string) {
    super(waitsFor)
    this.name = 'Refused'
  }
}
