import { openJournal } from '../journal.ts'

/** One message as it was accepted. */
export type Message = {
  at: string
  messageId: string
  eventId: string | null
  from: string
  to: string[]
  subject: string
}

/** Keeps what was accepted, in memory and as JSON lines. */
export type Mailbox = {
  messages: readonly Message[]
  /** Resolves when the message is on the disk. */
  keep(message: Message): Promise<void>
  close(): Promise<void>
}

/** Opens the mailbox file; messages of an earlier run are read back. */
export const openMailbox = async (path: string): Promise<Mailbox> => {
  const messages: Message[] = []
  const journal = await openJournal<Message>(path, (message) => messages.push(message))
  return {
    messages,
    async keep(message) {
      await journal.append(message)
      messages.push(message)
    },
    close: () => journal.close(),
  }
}

/** The headers of a raw message: names in lower case, folded lines joined, the first of a name counts. */
export const headersOf = (raw: string): Map<string, string> => {
  const headers = new Map<string, string>()
  const [head = ''] = raw.split(/\r?\n\r?\n/, 1)
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}
