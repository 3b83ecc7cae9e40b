// An upstream that costs little: it reads the body and answers 1 KiB of JSON with the headers an Express app has.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { lifeline } from './lifeline.ts'

const BODY = JSON.stringify({ id: 1, name: 'x'.repeat(980) })
const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    res.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': BODY.length,
      etag: 'W/"3e9-abcdefghijklmnop"',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    res.end(BODY)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
lifeline()
