// A proxy in a process of its own, so that a test can look at its memory: `proxy-process.ts <routes as YAML> <monolith's URL>`.
// Says its port on the first line; answers "rss" on standard input with the highest resident size so far, in bytes.
import { createInterface } from 'node:readline'
import { startProxy } from './start-proxy.ts'

const [routes = '', monolith = ''] = process.argv.slice(2)
const proxy = await startProxy({ routes, monolith })
let highest = 0
const look = () => {
  highest = Math.max(highest, process.memoryUsage.rss())
}
setInterval(look, 20).unref()
console.log(proxy.port)
const lines = createInterface({ input: process.stdin })
lines.on('line', () => {
  look()
  console.log(highest)
})
lines.on('close', () => process.exit(0))
