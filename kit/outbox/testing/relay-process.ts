import { connectBroker } from '../../broker/index.ts'
import { armFailPoints } from '../../service/fail-points.ts'
import { startRelay } from '../index.ts'
import { childOptions } from './child.ts'

const { databaseUrl, brokerUrl, failPoints, window } = childOptions<{
  databaseUrl: string
  brokerUrl: string
  failPoints: string
  window?: number
}>()
const quiet = () => undefined
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
armFailPoints(failPoints)
const broker = connectBroker({ url: brokerUrl, name: 'relay process', logger })
startRelay({ connectionString: databaseUrl, broker, logger, window })
