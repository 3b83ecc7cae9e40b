export { fromPg, type PgQueryable, type Sql } from '../sql.ts'
export { type ConsumeOptions, type Consumer, consume } from './consume.ts'
export { type ConsumeEventsOptions, consumeEvents, type EventHandler, heardBy } from './consume-events.ts'
export { type ConsumerStats, exportConsumers } from './consumer-metrics.ts'
export {
  countDeadLetters,
  type DeadLetter,
  type DeadLetterCount,
  type DeadLetterFilter,
  type DeadLetterOptions,
  type DeadLetterProgress,
  discard,
  listDeadLetters,
  replay,
  showDeadLetter,
} from './dead-letters.ts'
export type { Handler, HandlerTools } from './deliver.ts'
export { handleOnce } from './handle-once.ts'
export { installInbox } from './install.ts'
export { continueTrace } from './trace.ts'
