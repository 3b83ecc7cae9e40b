import { parseRoutes } from '../src/routes/parse.ts'

const { routes } = parseRoutes(
  `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
`,
  'routes.yaml',
)

/** A read and a write of one context. */
export const [read, write] = routes as [(typeof routes)[0], (typeof routes)[0]]
