import { readConfig } from '@banyan/kit/service'
import { configSchema, startShippingService } from './service.ts'

await startShippingService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
