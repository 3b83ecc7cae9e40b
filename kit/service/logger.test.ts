import pg from 'pg'
import { expect, test } from 'vitest'
import { createLogger } from './logger.ts'

const HASH = '$argon2id$v=19$hush'

function postgresError(message: string, fields: Partial<pg.DatabaseError>): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), fields)
}

const violated = () =>
  postgresError('new row for relation "users" violates check constraint "adult"', {
    code: '23514',
    constraint: 'adult',
    detail: `Failing row contains (7, hush@example.com, ${HASH}).`,
    where: `COPY users, line 1: "7 hush ${HASH}"`,
    internalQuery: `insert into users values ('${HASH}')`,
    hint: `not ${HASH}`,
  })
const unreadable = () =>
  postgresError(`invalid input syntax for type integer: "${HASH}"`, { code: '22P02', column: 'age' })

function logged(fields: object | Error): { line: string; err: Record<string, unknown> } {
  let line = ''
  const logger = createLogger({
    name: 'test',
    destination: {
      write: (text) => {
        line += text
      },
    },
  })
  logger.error(fields, 'failed')
  return { line, err: JSON.parse(line).err }
}

test('a violated constraint is logged by its name, without the row', () => {
  const { line, err } = logged({ err: violated() })
  expect(err).toMatchObject({ code: '23514', constraint: 'adult', message: expect.stringContaining('"adult"') })
  expect(line).not.toContain('hush')
})

test('a data exception is logged by its code and column, since its message quotes the value', () => {
  const { line, err } = logged(unreadable())
  expect(err).toMatchObject({ code: '22P02', message: 'SQLSTATE 22P02 (column "age")' })
  expect(err.stack).toContain('logger.test.ts')
  expect(line).not.toContain('hush')
})

test('neither a cause, nor an aggregate, nor a field, nor a wrapper that quotes it shows the row', () => {
  const inner = unreadable()
  const wrapped = new Error(`could not store: ${inner.message}`, { cause: new Error('later', { cause: inner }) })
  const all = new AggregateError([violated(), wrapped], 'both failed', { cause: violated() })
  const { line } = logged({
    err: Object.assign(all, { last: violated() }),
    error: wrapped,
    more: { failure: violated() },
  })
  expect(line).toContain('could not store: SQLSTATE 22P02')
  expect(line).toContain('"adult"')
  expect(line).not.toContain('hush')
})

test('errors whose causes go round in a circle are logged', () => {
  const one = new Error('one')
  one.cause = new Error('two', { cause: one })
  expect(logged({ err: one }).line).toContain('circular')
})

test('a timeout is logged, and does not end the process that logs it', () => {
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  expect(logged({ err: timeout }).err).toMatchObject({ message: timeout.message, code: 23, name: 'TimeoutError' })
  const { err } = logged({ err: new Error('no answer', { cause: timeout }) })
  expect(err.message).toContain(timeout.message)
})

test('a password inside a URL is not logged', () => {
  expect(logged({ err: new Error('no answer from postgres://app:hush@127.0.0.1/shop') }).line).not.toContain('hush')
})
