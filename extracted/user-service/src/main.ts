import { readConfig } from '@banyan/kit/service'
import { configSchema, startUserService } from './service.ts'

await startUserService(readConfig(configSchema, process.env), { ownProcess: true }).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
