#!/usr/bin/env node
// Prints an entry of CONSOLE_OPERATORS: banyan-operator <name> <viewer|operator> < a file with the secret
import { text } from 'node:stream/consumers'
import { hashSecret } from './ops/console/secret.ts'

const LEAST = 12
const [name = '', role = ''] = process.argv.slice(2)
const secret = (await text(process.stdin)).trim()
const fault = !/^[\w.@-]{1,64}$/.test(name)
  ? 'the name must be up to 64 letters, digits and . _ @ -'
  : role !== 'viewer' && role !== 'operator'
    ? 'the role must be viewer or operator'
    : secret.length < LEAST
      ? `the secret, on standard input, must have at least ${LEAST} characters`
      : null
if (fault === null) console.log(JSON.stringify({ name, role, secret: await hashSecret(secret) }))
else {
  console.error(`banyan-operator <name> <viewer|operator>: ${fault}`)
  process.exitCode = 2
}
