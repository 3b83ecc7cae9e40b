import type { Captured } from '@banyan/kit/parity/recording'

/** An exchange on its way to the writer: bodies are bytes, made into text over there. */
export type Exchange = Omit<Captured, 'body' | 'answerBody'> & {
  readonly body: Taped | undefined
  readonly answerBody: Taped | undefined
}

/** A body as it passed, or why it was not kept. */
export type Taped =
  | { readonly bytes: Uint8Array; readonly type: string; readonly coding: string }
  | { readonly omitted: string }

/** What the writer's thread is given when it starts. */
export type WriterData = {
  readonly file: string
  readonly share: number
  readonly at: string
  readonly personal: Readonly<Record<string, readonly string[]>>
  readonly claims: readonly string[]
  readonly maxBytes: number
}

/** What the writer says of each exchange: how long its line was, or that this one could not be masked. */
export type Written = { readonly written: number } | { readonly failed: string } | { readonly full: true }
