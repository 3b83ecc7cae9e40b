export type { Sql } from '../sql.ts'
export { type Clock, createVirtualClock, systemClock } from './clock.ts'
export {
  type Act,
  defineSaga,
  ELSEWHERE,
  type SagaData,
  type SagaDefinition,
  type Step,
  type StepCall,
} from './define.ts'
export type { Standing } from './drive.ts'
export { gradeError, type Outcome, type Reason, SagaError, SagaLater, SagaRefusal } from './errors.ts'
export { installSagas } from './install.ts'
export { type NextStep, nextStep, type Shape } from './next-step.ts'
export { retrySaga } from './retry.ts'
export { createSagaRunner, type SagaRunner } from './runner.ts'
export { exportRunner } from './runner-metrics.ts'
export { timeline, toMermaid } from './show.ts'
export { type SagaSketch, sketchOf } from './sketch.ts'
export { isFinal, type SagaState, type SagaStatus } from './state.ts'
export { createSagaStore, type SagaStore } from './store.ts'
