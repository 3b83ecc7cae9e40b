/** What `banyan` leaves a context in. */
const LEAVES: Readonly<Record<string, string>> = {
  prepare: 'prepared',
  backfill: 'following',
  switch: 'switched',
  rollback: 'ready',
  complete: 'completed',
}
const REFUSAL = /(\w+) needs [\w-]+ to be [\w ]+; it is (\w+), and next comes/

/**
 * Whether a command that was given again is refused because the first time has done it all the same: its mover went on
 * after whoever had asked for it was cut off.
 * @param output what the command said
 */
export function wasDone(output: string): boolean {
  const [, verb = '', phase] = REFUSAL.exec(output) ?? []
  return phase !== undefined && LEAVES[verb] === phase
}
