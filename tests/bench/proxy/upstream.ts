// An upstream that costs little: it reads the body and answers 1 KiB of JSON with the headers an Express app has. Whole
// files go up to /upload, which says what arrived, and come down from /download?bytes=N. With a name it says that in x-side.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { lifeline } from './lifeline.ts'

const BODY = JSON.stringify({ id: 1, name: 'x'.repeat(980) })
const side = process.argv[2] === undefined ? {} : { 'x-side': process.argv[2] }
const BLOCK = Buffer.alloc(2 ** 20, 'x')
const server = createServer((req, res) => {
  if (req.url === '/upload') return receive(req, res)
  if (req.url?.startsWith('/download?'))
    return send(Number(new URLSearchParams(req.url.split('?')[1]).get('bytes')), res)
  req.resume()
  req.on('end', () => {
    res.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': BODY.length,
      etag: 'W/"3e9-abcdefghijklmnop"',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      ...side,
    })
    res.end(BODY)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
lifeline()

function receive(req: IncomingMessage, res: ServerResponse): void {
  const hash = createHash('sha256')
  let received = 0
  req.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    received += chunk.length
  })
  req.on('end', () => res.end(JSON.stringify({ received, sha256: hash.digest('hex') })))
}

function send(bytes: number, res: ServerResponse): void {
  let left = bytes
  res.setHeader('content-length', bytes)
  const more = () => {
    while (left > 0) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left)
      left -= part.length
      if (!res.write(part)) return
    }
    res.end()
  }
  res.on('drain', more)
  more()
}
