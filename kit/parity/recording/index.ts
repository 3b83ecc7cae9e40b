export { RECORDING_VERSION, type Recorded } from './format.ts'
export { type Captured, type CapturedBody, createMaskExchange } from './mask-exchange.ts'
