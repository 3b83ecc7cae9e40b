/**
 * Why a message does not count as published.
 * nack: the broker refused it · returned: no queue is bound for it · timeout: no confirm in time ·
 * lost: the channel or connection went away before the confirm · closed: this publisher was closed
 */
export type PublishFault = 'nack' | 'returned' | 'timeout' | 'lost' | 'closed'

/** The message may or may not have arrived (`timeout`, `lost`) or surely did not (the others): send it again. */
export class PublishError extends Error {
  override readonly name = 'PublishError'
  readonly fault: PublishFault
  constructor(fault: PublishFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

/** The broker's objects are not what the caller declares, or may not be declared by this user. */
export class TopologyError extends Error {
  override readonly name = 'TopologyError'
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The AMQP reply code (`PRECONDITION_FAILED`, …) of an error of the client, or undefined. */
export function amqpCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
