type Told = { [part: string]: unknown }

/** A stream of events, in their order; those of another name in between are passed over. */
export interface Events {
  /** Resolves when the stream is over. */
  readonly ended: Promise<void>
  next(name: string): Promise<Told>
  /** Waits for a picture that is as wished; one that was being taken already may come before it. */
  state(wish: (picture: Told) => void): Promise<void>
}

/** @throws Error when the answer is no stream of events */
export async function openEvents(url: string, headers: Record<string, string>): Promise<Events> {
  const answer = await fetch(url, { headers })
  const type = answer.headers.get('content-type')
  if (!type?.includes('text/event-stream')) throw new Error(`${answer.status} ${type} is no stream of events`)
  const ended = Promise.withResolvers<void>()
  const events: { name: string; data: string }[] = []
  let wake: () => void = () => undefined
  void (async () => {
    let text = ''
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += part
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, name, data] = /event: (\w+)\ndata: (.*)/.exec(text.slice(0, end)) ?? []
        text = text.slice(end + 2)
        if (name && data) events.push({ name, data })
        wake()
      }
    }
    ended.resolve()
  })()
  const next = async (name: string): Promise<Told> => {
    for (;;) {
      const event = events.shift()
      if (event?.name === name) return JSON.parse(event.data)
      if (event === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }
  return {
    ended: ended.promise,
    next,
    async state(wish) {
      for (let pictures = 1; ; pictures += 1) {
        const picture = await next('state')
        try {
          wish(picture)
          return
        } catch (error) {
          if (pictures === 10) throw error
        }
      }
    },
  }
}
