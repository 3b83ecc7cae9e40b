import { fileURLToPath } from 'node:url'
import express, { type RequestHandler, type Router } from 'express'

const FOLDER = fileURLToPath(new URL('../../../console', import.meta.url))

/** Nothing but the page's own files: no inline script or style, no other origin, no frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** The page's own files; they hold nothing that is secret, so that who is not logged in gets the form for it. */
export function addPage(router: Router): void {
  router.use(express.static(FOLDER, { cacheControl: false, setHeaders: (res) => res.set('Cache-Control', 'no-cache') }))
}

/** In front of everything below the console's path. */
export const guardPage: RequestHandler = (_req, res, next) => {
  res.set({ 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })
  next()
}
