/** The one difference between users here and in the other house. */
export const SIDE = 'service'
export const CONTEXT = 'users'
