/** The one difference between notifications here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'notifications'
