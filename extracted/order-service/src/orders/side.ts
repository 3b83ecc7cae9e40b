/** The one difference between orders here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'orders'
