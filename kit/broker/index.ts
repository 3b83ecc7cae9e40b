export { eventArchive } from './archive.ts'
export { type ConnectOptions, connectBroker } from './connect.ts'
export { PublishError, type PublishFault, TopologyError } from './errors.ts'
export type {
  Binding,
  Broker,
  Exchange,
  Headers,
  IncomingMessage,
  Log,
  Outcome,
  OutgoingMessage,
  Publisher,
  PublisherOptions,
  PublisherStats,
  PullOptions,
  Queue,
  SubscribeBatchesOptions,
  SubscribeOptions,
  Subscription,
  Topology,
} from './port.ts'
export { DEAD_EXCHANGE, deadQueueOf, EVENTS_EXCHANGE, eventTopology, joinTopologies, quorumQueue } from './topology.ts'
