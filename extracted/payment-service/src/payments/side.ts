/** The one difference between payments here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'payments'
