/** Triggers of one kind fire in the order of their names, and these have to be the first (rule 2). */
export const FENCE = '!!banyan_fence'
export const CAPTURE = '!banyan_capture'
export const TRUNCATE = '!banyan_truncate'
