import { readConfig } from '@banyan/kit/service'
import { configSchema, startNotificationService } from './service.ts'

await startNotificationService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
