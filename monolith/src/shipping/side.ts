/** The one difference between shipping here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'shipping'
