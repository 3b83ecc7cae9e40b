/** The one difference between inventory here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'inventory'
