/** A side did not answer a copy, or not in a form that is compared. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}
