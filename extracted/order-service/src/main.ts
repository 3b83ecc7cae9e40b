import { readConfig } from '@banyan/kit/service'
import { configSchema, startOrderService } from './service.ts'

await startOrderService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
