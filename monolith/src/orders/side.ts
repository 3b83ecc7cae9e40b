/** The one difference between orders here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'orders'
