/** Unleash itself, configured by its own environment variables; ends when its stdin closes. */
import { start } from 'unleash-server'

process.stdin.resume()
for (const end of ['end', 'close', 'error']) process.stdin.on(end, () => process.exit(0))
await start()
