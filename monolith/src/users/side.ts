/** The one difference between users here and in the other house. */
export const SIDE = 'monolith'
export const CONTEXT = 'users'
