import { readConfig } from '@banyan/kit/service'
import { configSchema, startPaymentService } from './service.ts'

await startPaymentService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
