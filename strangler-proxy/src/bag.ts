/** What is in a bag knows its place in it; nobody else writes that. */
export interface Bagged {
  place: number
}

/**
 * A collection whose members come and go many times a millisecond, in no order. Not a Set: a Set that is added to and
 * deleted from gets a new table every few entries, and a table left behind still names what was in it and the table
 * after it. Once one of them is old, the garbage collector keeps a good part of all that ever passes, and copies it, in
 * pauses of tens of milliseconds, until its next full collection. A bag has one array, and what left is not in it.
 */
export class Bag<T extends Bagged> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: T): void {
    member.place = this.#members.push(member) - 1
  }

  /** Does nothing for what is not in it. */
  delete(member: T): void {
    if (this.#members[member.place] !== member) return
    const last = this.#members.pop()!
    if (last === member) return
    this.#members[member.place] = last
    last.place = member.place
  }

  /** The members of this moment: the bag may change while they are looked through. */
  snapshot(): readonly T[] {
    return [...this.#members]
  }
}
