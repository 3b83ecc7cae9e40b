// The yardstick: http-proxy-middleware as it comes, one target, a keep-alive agent, no framework around it.
import { Agent, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { lifeline } from './lifeline.ts'

const proxy = createProxyMiddleware({ target: process.argv[2]!, agent: new Agent({ keepAlive: true }) })
const server = createServer((req, res) => void proxy(req, res))
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
lifeline()
