import { type Broker, deadQueueOf, type IncomingMessage, type Publisher } from '../broker/index.ts'
import { carriedHeaders, remark } from './dead-letter.ts'

export interface DeadLetter {
  id: string
  type: string
  stream: string
  /** `failed`, `poison`, `unreadable`, `no-handler`, or the broker's own word, such as `delivery_limit`. */
  reason: string
  attempts: number
  error: string
  deadAt: Date | undefined
  headers: Readonly<Record<string, unknown>>
  body: string
}

/** What is given has to fit; nothing given is everything. */
export interface DeadLetterFilter {
  ids?: readonly string[]
  type?: string
  stream?: string
  /** Dead for at least this long. */
  olderThanMs?: number
}

export interface DeadLetterOptions {
  broker: Broker
  /** The queue whose dead letters are meant, not the dead-letter queue. */
  queue: string
  filter?: DeadLetterFilter
  /** Messages looked at, from the oldest. @default all that are there at the beginning */
  limit?: number
  /** Called after each page of a thousand, which are in memory together. */
  onPage?(so: DeadLetterProgress): void
}

export interface DeadLetterProgress {
  looked: number
  taken: number
}

export interface DeadLetterCount {
  looked: number
  /** Those of them that fit the filter. */
  fitting: number
  /** Ids of the filter of which there is none. */
  missing: string[]
}

/** The dead letters of a queue, oldest first and all in memory. They stay where they are. */
export async function listDeadLetters(options: DeadLetterOptions): Promise<DeadLetter[]> {
  const found: DeadLetter[] = []
  await visit(options, async (letter) => {
    found.push(letter)
    return false
  })
  return found
}

/** One dead letter with its headers and body, or undefined. */
export async function showDeadLetter(options: DeadLetterOptions & { id: string }): Promise<DeadLetter | undefined> {
  const [letter] = await listDeadLetters({ ...options, filter: { ids: [options.id] } })
  return letter
}

/** How many dead letters there are, and how many of them fit. They stay where they are. */
export async function countDeadLetters(options: DeadLetterOptions): Promise<DeadLetterCount> {
  const missing = new Set(options.filter?.ids)
  let fitting = 0
  const { looked } = await visit(options, async ({ id }) => {
    missing.delete(id)
    fitting += 1
    return false
  })
  return { looked, fitting, missing: [...missing] }
}

/**
 * Puts dead letters back into their queue, in their order. Each is taken off only when the queue has it; what is put
 * back twice is recognised by the inbox.
 * @returns how many; where it fails, `onPage` has been told
 */
export async function replay(options: DeadLetterOptions): Promise<number> {
  const publisher: Publisher = options.broker.publisher({ window: 1 })
  try {
    return await take(options, async (letter, message) => {
      await publisher.publish({
        // The default exchange: only the queue that gave up on it gets it again.
        exchange: '',
        routingKey: options.queue,
        messageId: letter.id,
        contentType: message.contentType,
        headers: carriedHeaders(message.headers),
        body: message.body,
      })
      return true
    })
  } finally {
    await publisher.close()
  }
}

/** Deletes dead letters for good. @returns how many; where it fails, `onPage` has been told */
export async function discard(options: DeadLetterOptions): Promise<number> {
  return await take(options, () => Promise.resolve(true))
}

type Act = (letter: DeadLetter, message: IncomingMessage) => Promise<boolean>

/** What is sent again may die again at once, and nobody has looked at what dies meanwhile: neither is meant. */
async function take(options: DeadLetterOptions, act: Act): Promise<number> {
  const limit = options.limit ?? (await countDeadLetters(options)).looked
  return (await visit({ ...options, limit }, act)).taken
}

/** Calls `act` for each that fits the filter; those it answers true for are taken off. */
async function visit(
  { broker, queue, filter = {}, limit = Number.POSITIVE_INFINITY, onPage }: DeadLetterOptions,
  act: Act,
): Promise<DeadLetterProgress> {
  const so = { looked: 0, taken: 0 }
  let failure: { error: unknown } | undefined
  await broker.pull({ queue: deadQueueOf(queue), max: limit }, async (messages) => {
    const settled: boolean[] = []
    try {
      for (const message of messages) {
        const letter = toDeadLetter(message)
        settled.push(fits(letter, filter) && (await act(letter, message)))
      }
    } catch (error) {
      // What was done before is taken off all the same.
      failure = { error }
    }
    so.looked += settled.length
    so.taken += settled.filter(Boolean).length
    onPage?.({ ...so })
    return settled
  })
  if (failure) throw failure.error
  return so
}

function fits(letter: DeadLetter, { ids, type, stream, olderThanMs }: DeadLetterFilter): boolean {
  if (ids && !ids.includes(letter.id)) return false
  if (type !== undefined && letter.type !== type) return false
  if (stream !== undefined && letter.stream !== stream) return false
  if (olderThanMs === undefined) return true
  return letter.deadAt !== undefined && Date.now() - letter.deadAt.getTime() >= olderThanMs
}

function toDeadLetter(message: IncomingMessage): DeadLetter {
  const { headers } = message
  const text = (value: unknown): string => (value === undefined ? '' : String(value))
  const deadAt = remark(headers, 'dead-at')
  return {
    id: message.messageId ?? text(headers['ce-id']),
    type: text(headers['ce-type']),
    stream: text(headers['ce-subject']),
    reason: text(remark(headers, 'reason') ?? headers['x-first-death-reason']),
    attempts: Number(remark(headers, 'attempts') ?? 0),
    error: text(remark(headers, 'error')),
    deadAt: typeof deadAt === 'string' ? new Date(deadAt) : undefined,
    headers,
    body: message.body.toString(),
  }
}
