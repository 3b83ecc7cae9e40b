/** Who owns a context: the tables, the question inside a transaction, the watch outside of one. */
export { fromPg, type Sql } from '../sql.ts'
export { type ControlRoles, installControl, installParticipant } from './install.ts'
export { type Instance, listInstances, registerInstance } from './instances.ts'
export { openGate } from './open-gate.ts'
export { type Owner, ownerOf, requireOwner } from './owner-of.ts'
export type { Ownership, Phase } from './ownership.ts'
export { type OwnershipWatch, type Subscriber, type WatchOptions, watchOwnership } from './watch.ts'
export { createWorkGate, type WorkGate } from './work-gate.ts'
