/** The one difference between payments here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'payments'
