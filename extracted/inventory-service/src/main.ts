import { readConfig } from '@banyan/kit/service'
import { configSchema, startInventoryService } from './service.ts'

await startInventoryService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
