import type { ServerResponse } from 'node:http'
import { type Logger, Problem } from '@banyan/kit/service'

/** Sends what the console shows to every page that is open: each second, and at once when something has changed. */
export type Feed = {
  /**
   * @param name whose page it is
   * @param isWanted false ends the stream: its session is over
   */
  attach(res: ServerResponse, name: string, isWanted: () => boolean): void
  /** Something has changed: the next picture is taken now. */
  poke(): void
  /** Ends every stream, so that the listener can close. */
  close(): void
}

const EVERY_MS = 1_000
/** A burst of changes, as of a switch, is one picture each so many milliseconds. */
const AT_LEAST_MS = 50
const HEARTBEAT_MS = 10_000
/** Of one name, so that nobody's many pages keep those of others from opening. */
const MOST_OF_A_NAME = 20
const MOST_PAGES = 400
/** A page that has not taken what was sent for so long is gone, or behind a line that is. */
const STUCK_MS = 15_000

type Page = {
  readonly res: ServerResponse
  readonly name: string
  readonly isWanted: () => boolean
  stuckSince: number | null
  sentAt: number
}

/**
 * @param options.look takes the picture; asked only while a page is open
 * @param options.first what a page gets once, before its first picture
 */
export function createFeed(options: {
  readonly look: () => Promise<object>
  readonly first: () => object
  readonly logger: Logger
}): Feed {
  const pages = new Set<Page>()
  let latest = ''
  let timer: NodeJS.Timeout | undefined
  let looking = false
  let again = false

  const round = async (): Promise<void> => {
    clearTimeout(timer)
    looking = true
    again = false
    try {
      latest = JSON.stringify(await options.look())
      for (const page of pages) send(page, 'state', latest)
    } catch (err) {
      options.logger.warn({ err }, 'the console’s picture could not be taken')
    } finally {
      looking = false
      if (pages.size > 0) timer = setTimeout(round, again ? AT_LEAST_MS : EVERY_MS)
    }
  }

  const end = (page: Page): void => {
    pages.delete(page)
    page.res.end()
  }

  const send = (page: Page, event: string, text: string): void => {
    const now = performance.now()
    if (!page.isWanted()) {
      end(page)
      return
    }
    if (page.res.writableNeedDrain) {
      // A slow page misses pictures rather than have them pile up here.
      page.stuckSince ??= now
      if (now - page.stuckSince > STUCK_MS) page.res.destroy()
      return
    }
    page.stuckSince = null
    page.sentAt = now
    page.res.write(`event: ${event}\ndata: ${text}\n\n`)
  }

  const heartbeat = setInterval(() => {
    const quietSince = performance.now() - HEARTBEAT_MS / 2
    for (const page of pages) if (page.sentAt < quietSince) send(page, 'heartbeat', '{}')
  }, HEARTBEAT_MS)
  heartbeat.unref()

  return {
    attach(res, name, isWanted) {
      let own = 0
      for (const page of pages) if (page.name === name) own += 1
      if (own >= MOST_OF_A_NAME)
        throw new Problem(503, 'too-many-pages', `You have ${own} consoles open at this proxy; close one.`)
      if (pages.size >= MOST_PAGES)
        throw new Problem(503, 'too-many-pages', `${MOST_PAGES} consoles are open at this proxy; close one.`)
      res.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // A proxy in front would otherwise collect what is to be seen now.
        'x-accel-buffering': 'no',
      })
      res.write('retry: 1000\n\n')
      const page: Page = { res, name, isWanted, stuckSince: null, sentAt: performance.now() }
      pages.add(page)
      res.once('close', () => {
        pages.delete(page)
        if (pages.size === 0) clearTimeout(timer)
      })
      send(page, 'history', JSON.stringify(options.first()))
      this.poke()
    },
    poke() {
      if (pages.size === 0) return
      if (looking) again = true
      else {
        clearTimeout(timer)
        timer = setTimeout(round, 0)
      }
    },
    close() {
      clearInterval(heartbeat)
      clearTimeout(timer)
      for (const page of pages) end(page)
    },
  }
}
