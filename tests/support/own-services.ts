/**
 * Before each test file: its environment names the servers of the worker that runs it. No other worker uses those, so a
 * test may look at what a whole server holds, and stop or kill it.
 */
import { inject } from 'vitest'
import { servicesOf } from './services.ts'

const sets = inject('services')
if (sets) Object.assign(process.env, servicesOf(Number(process.env.VITEST_POOL_ID), sets))
