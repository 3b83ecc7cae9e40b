import type { Rule } from '@banyan/kit/parity/answers'
import type { PlacedFault } from './identity.ts'
import type { Route } from './route.ts'

/** What may differ in answers of a rule that the table does not have would never be needed. */
export function differenceFaults(differences: readonly Rule[], routes: readonly Route[]): PlacedFault[] {
  return differences.flatMap(({ operation }, index) =>
    operation === undefined || routes.some(({ name }) => name === operation)
      ? []
      : [
          {
            at: ['differences', index],
            message: `no rule is called "${operation}"`,
            remedy: 'name one by its methods and its path as they are written, such as "GET /api/items"',
          },
        ],
  )
}
