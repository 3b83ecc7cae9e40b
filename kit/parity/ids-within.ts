/** Ids that stand inside a text, as in `/api/orders/17`. */

/** Which ids a text holds, each with the name of the pairs it belongs to, and the text with a gap for each of them. */
export type IdsWithin = { ids: { name: string; id: string }[]; rest: string }

/**
 * @param form a regular expression whose groups are the ids, looked for all over the text; a group with a name is of the
 * pairs of that name, since a text may hold ids of two kinds
 * @param name of the pairs of the other groups
 */
export function idsWithin(text: string, form: string, name: string): IdsWithin {
  const ids: IdsWithin['ids'] = []
  let [rest, end] = ['', 0]
  for (const { indices } of text.matchAll(new RegExp(form, 'dg'))) {
    const named = new Map(Object.entries(indices?.groups ?? {}).map(([kind, range]) => [String(range), kind]))
    for (const range of indices?.slice(1) ?? []) {
      // A group that took no part, or one inside another.
      if (range === undefined || range[0] < end) continue
      ids.push({ name: named.get(String(range)) ?? name, id: text.slice(...range) })
      rest += `${text.slice(end, range[0])}\u0000`
      end = range[1]
    }
  }
  return { ids, rest: rest + text.slice(end) }
}
