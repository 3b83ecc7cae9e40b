import {
  authenticate,
  createApp,
  createTokenVerifier,
  finishApp,
  type Health,
  type Metrics,
  publicJwks,
  requireInternal,
} from '@banyan/kit/service'
import type { Express } from 'express'
import type { Context, Deps, Running } from './deps.ts'
import { inventoryContext } from './inventory/context.ts'
import { notificationsContext } from './notifications/context.ts'
import { ordersContext } from './orders/context.ts'
import { paymentsContext } from './payments/context.ts'
import { shippingContext } from './shipping/context.ts'
import { getUser } from './users/accounts.ts'
import { usersContext } from './users/context.ts'

export type App = {
  express: Express
  /** Begins the background work of every context. */
  start(): Promise<Running>
}

/** Puts the contexts together. */
export function buildApp(deps: Deps & { health?: Health; metrics?: Metrics }): App {
  const { config, db, logger } = deps
  const customerOf = async (userId: number) => {
    const { name, email } = await getUser(db, userId)
    return { name, email }
  }
  const payments = paymentsContext(deps)
  const contexts: Context[] = [
    usersContext(deps),
    inventoryContext({ ...deps, reservationSeconds: config.RESERVATION_SECONDS }),
    payments,
    ordersContext({ ...deps, payments: payments.port, customerOf }),
    shippingContext(deps),
    notificationsContext(deps),
  ]
  const verifier = createTokenVerifier({
    jwks: publicJwks(config.JWT_KEYS),
    issuer: config.JWT_ISSUER,
    audience: 'banyan-shop',
    typ: 'at+jwt',
  })

  const express = createApp(deps)
  express.use('/api', authenticate(verifier))
  express.use('/internal', requireInternal({ jwks: config.INTERNAL_JWKS ?? { keys: [] }, audience: 'monolith' }))
  for (const { routes } of contexts) express.use(routes)
  finishApp(express, { logger, side: 'monolith' })

  return {
    express,
    async start() {
      const running: Running[] = []
      for (const context of contexts) if (context.start) running.push(await context.start())
      return {
        async close() {
          await Promise.all(running.map((one) => one.close()))
        },
      }
    },
  }
}
