/** The one difference between notifications here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'notifications'
