/** The one difference between inventory here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'inventory'
