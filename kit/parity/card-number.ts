/** Card numbers in texts, told from other long numbers: an id that was masked could neither be read nor asked for. */

/** Groups of digits, as many as there are: a card's may stand among others. */
const GROUPS = /\b\d+(?:[ -]\d+)*\b/g
/** By how many digits there are, what the first one may be. */
const LENGTHS = /^(?:[4-6]\d{12}|[1-36]\d{13,14}|[1-689]\d{15,18})$/
const DIGITS_AT_MOST = 19
/** Digits with the form of a UUID are no card's, whatever they add up to. */
const UUID = /(\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)/i

/** Whether the digits are as many as a card's, and right by Luhn's check digit. */
export function isCardNumber(digits: string): boolean {
  if (!LENGTHS.test(digits)) return false
  let sum = 0
  for (let at = 1; at <= digits.length; at++) {
    const counted = Number(digits.at(-at)) * (at % 2 === 0 ? 2 : 1)
    sum += counted > 9 ? counted - 9 : counted
  }
  return sum % 10 === 0
}

/** Replaces each card number, be it written in groups or as one. */
export function replaceCardNumbers(text: string, replace: (found: string) => string): string {
  const others = (part: string) => part.replaceAll(GROUPS, (groups) => inGroups(groups.split(/([ -])/), replace))
  return text
    .split(UUID)
    .map((part, at) => (at % 2 === 1 ? part : others(part)))
    .join('')
}

/** @param parts groups, and what joins them between */
function inGroups(parts: readonly string[], replace: (card: string) => string): string {
  const result: string[] = []
  for (let at = 0; at < parts.length; ) {
    // A number may begin within what only happens to be one as well: both go.
    let end = endOfCard(parts, at)
    for (let next = at + 1; end !== null && next < end; next++) end = Math.max(end, endOfCard(parts, next) ?? 0)
    result.push(end === null ? parts[at]! : replace(parts.slice(at, end).join('')))
    at = end ?? at + 1
  }
  return result.join('')
}

/** Where the longest number of a card ends that begins with this group; null where none does. */
function endOfCard(parts: readonly string[], from: number): number | null {
  let digits = ''
  let end: number | null = null
  for (let at = from; at < parts.length && digits.length < DIGITS_AT_MOST; at += 2) {
    digits += parts[at]
    if (isCardNumber(digits)) end = at + 1
  }
  return end
}
