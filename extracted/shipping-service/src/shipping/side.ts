/** The one difference between shipping here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'shipping'
