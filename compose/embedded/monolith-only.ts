/** `npm run monolith`: the shop as one good Express application, with its database, broker and sandboxes. */
import { endWithStarter } from './lifeline.ts'
import { type Stack, startStack } from './stack.ts'
import { MAIN } from './stack-env.ts'

const say = (line: string) => console.log(line)
let stack: Stack | undefined
// Before it is up there is nothing to stop in order: this process ends, and what had started follows.
endWithStarter(async () => await stack?.stop())
stack = await startStack({ name: MAIN, stage: 0, ports: 'well-known', announce: say })
const { env } = stack
say(`shop       ${env.MONOLITH_URL}/api/products`)
say(`login      POST ${env.MONOLITH_URL}/api/sessions as ${env.ADMIN_EMAIL} / ${env.ADMIN_PASSWORD}`)
say(`e-mails    ${env.MAIL_URL}/messages   payments ${env.PAYMENTS_URL}`)
say(`logs       ${stack.logs}`)
say('Ctrl-C stops everything.')
const broken = await stack.broken
console.error(`${broken} has ended; its log is in ${stack.logs}`)
await stack.stop()
process.exit(1)
